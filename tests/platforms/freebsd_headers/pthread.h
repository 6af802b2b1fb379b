// pthread.h of FreeBSD 13.2, as far as acre uses it.
#ifndef ACRE_FREEBSD_PTHREAD_H_
#define ACRE_FREEBSD_PTHREAD_H_

typedef int pthread_key_t;

#define PTHREAD_CANCEL_DISABLE 1

int pthread_setcancelstate(int state, int *old);
int pthread_key_create(pthread_key_t *key, void (*destructor)(void *));
int pthread_key_delete(pthread_key_t key);
void *pthread_getspecific(pthread_key_t key);
int pthread_setspecific(pthread_key_t key, const void *value);

#endif  // ACRE_FREEBSD_PTHREAD_H_
