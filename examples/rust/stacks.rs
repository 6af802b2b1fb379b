//! Guarded stacks by the ten thousand, by acre from Rust.
//!
//!     rustc -O -L FOLDER_OF_LIBACRE stacks.rs && LD_LIBRARY_PATH=FOLDER_OF_LIBACRE ./stacks
//!
//! A pool hands out stacks for coroutines, each with a guard below it that takes no memory area of
//! its own where the kernel has guard markers.  The wrapper makes that safe: a stack borrows its
//! pool, and goes back when it is dropped.
#![allow(non_camel_case_types)]

use std::ffi::CStr;
use std::fmt;
use std::marker::PhantomData;
use std::ops::{Deref, DerefMut};
use std::os::raw::{c_char, c_int, c_void};
use std::ptr;

// ---- acre's C interface ----------------------------------------------------------------------

#[repr(C)]
#[derive(Clone, Copy)]
struct acre_stack {
    base: *mut c_void,
    size: usize,
    header: *mut c_void,
    guard_kind: u32,
    generation: u32,
    private_: [usize; 2],
}

#[repr(C)]
#[derive(Clone, Copy)]
struct acre_stack_info {
    base: *mut c_void,
    size: usize,
    header: *mut c_void,
    pool: *const c_void,
    tag: usize,
    r#where: u32,
    generation: u32,
    guard_kind: u32,
    padding: u32,
}

#[repr(C)]
#[derive(Clone, Copy)]
struct acre_stack_pool_opts {
    stack_size: usize,
    guard_size: usize,
    header_size: usize,
    max_stacks: usize,
    keep: usize,
    tag: usize,
    flags: u32,
    reserved: [u32; 9],
}

#[repr(C)]
struct acre_stack_pool {
    private_: [u8; 0],
}

const ACRE_STACK_GUARD: u32 = 2;

#[link(name = "acre")]
extern "C" {
    fn acre_stack_pool_create(
        opts: *const acre_stack_pool_opts,
        out: *mut *mut acre_stack_pool,
    ) -> c_int;
    fn acre_stack_pool_destroy(pool: *mut acre_stack_pool) -> c_int;
    fn acre_stack_pool_take(pool: *mut acre_stack_pool, out: *mut acre_stack) -> c_int;
    fn acre_stack_pool_give(pool: *mut acre_stack_pool, stack: *const acre_stack) -> c_int;
    fn acre_stack_commit(stack: *const acre_stack, bytes: usize) -> c_int;
    fn acre_stack_find(address: *const c_void, out: *mut acre_stack_info) -> c_int;
    fn acre_status_text(status: c_int) -> *const c_char;
}

// ---- the safe wrapper ------------------------------------------------------------------------

/// Why acre refused a call.
struct Error(c_int);

impl fmt::Debug for Error {
    fn fmt(&self, to: &mut fmt::Formatter) -> fmt::Result {
        // SAFETY: the text is static and ends with a 0.
        let text = unsafe { CStr::from_ptr(acre_status_text(self.0)) };
        to.write_str(&text.to_string_lossy())
    }
}

fn check(status: c_int) -> Result<(), Error> {
    if status < 0 {
        Err(Error(status))
    } else {
        Ok(())
    }
}

struct Pool(*mut acre_stack_pool);

// SAFETY: any number of threads may take and give at once.
unsafe impl Send for Pool {}
unsafe impl Sync for Pool {}

impl Pool {
    fn new(stack_size: usize, max_stacks: usize) -> Result<Pool, Error> {
        let opts = acre_stack_pool_opts {
            stack_size,
            guard_size: 0,
            header_size: 0,
            max_stacks,
            keep: 0,
            tag: 0,
            flags: 0,
            reserved: [0; 9],
        };
        let mut pool = ptr::null_mut();
        // SAFETY: both point at what lives here; acre keeps neither.
        check(unsafe { acre_stack_pool_create(&opts, &mut pool) })?;
        Ok(Pool(pool))
    }

    fn take(&self) -> Result<Stack<'_>, Error> {
        let mut handle = acre_stack {
            base: ptr::null_mut(),
            size: 0,
            header: ptr::null_mut(),
            guard_kind: 0,
            generation: 0,
            private_: [0; 2],
        };
        // SAFETY: the pool is alive.
        check(unsafe { acre_stack_pool_take(self.0, &mut handle) })?;
        let stack = Stack {
            handle,
            pool: self.0,
            borrowed: PhantomData,
        };
        // SAFETY: the stack is taken, and nobody runs on it.
        check(unsafe { acre_stack_commit(&stack.handle, stack.handle.size) })?;
        Ok(stack)
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        // SAFETY: stacks borrow the pool, so none are out.  What could not be unmapped stays.
        unsafe { acre_stack_pool_destroy(self.0) };
    }
}

/// Bytes with a guard below them.
struct Stack<'pool> {
    handle: acre_stack,
    pool: *mut acre_stack_pool,
    borrowed: PhantomData<&'pool Pool>,
}

// SAFETY: another thread may give it back.
unsafe impl Send for Stack<'_> {}

impl Deref for Stack<'_> {
    type Target = [u8];
    fn deref(&self) -> &[u8] {
        // SAFETY: they are this stack's until it is dropped.
        unsafe { std::slice::from_raw_parts(self.handle.base as *const u8, self.handle.size) }
    }
}

impl DerefMut for Stack<'_> {
    fn deref_mut(&mut self) -> &mut [u8] {
        // SAFETY: as above, and nobody else has them.
        unsafe { std::slice::from_raw_parts_mut(self.handle.base as *mut u8, self.handle.size) }
    }
}

impl Drop for Stack<'_> {
    fn drop(&mut self) {
        // SAFETY: it was taken from this pool, which is alive, and is given once.
        unsafe { acre_stack_pool_give(self.pool, &self.handle) };
    }
}

/// Whether an address lies in the guard of some stack: what a handler of faults asks.
fn is_guard(address: *const u8) -> bool {
    let mut info = std::mem::MaybeUninit::<acre_stack_info>::uninit();
    // SAFETY: any address may be asked about; `info` is filled in on success.
    unsafe {
        acre_stack_find(address as *const c_void, info.as_mut_ptr()) == 0
            && info.assume_init().r#where == ACRE_STACK_GUARD
    }
}

// ---- the example -----------------------------------------------------------------------------

const THREADS: usize = 4;
const EACH: usize = 10_000;

// Takes stacks, uses the top of some, and says how many have a guard.
fn use_stacks(pool: &Pool, thread: usize) -> Result<usize, Error> {
    let mut stacks = (0..EACH)
        .map(|_| pool.take())
        .collect::<Result<Vec<_>, _>>()?;
    for stack in stacks.iter_mut().step_by(100) {
        *stack.last_mut().unwrap() = thread as u8;
    }
    assert!(stacks
        .iter()
        .step_by(100)
        .all(|stack| *stack.last().unwrap() == thread as u8));
    Ok(stacks
        .iter()
        .filter(|stack| is_guard(stack.as_ptr().wrapping_sub(1)))
        .count())
}

macro_rules! print_layout {
    ($type:ident { $($field:ident),* $(,)? }) => {{
        let value = std::mem::MaybeUninit::<$type>::uninit();
        let base = value.as_ptr();
        $(
            // SAFETY: nothing is read.
            let field = unsafe { ptr::addr_of!((*base).$field) };
            let size = std::mem::size_of_val(unsafe { &*field });
            println!("{} {} {} {}", stringify!($type), stringify!($field).trim_start_matches("r#"),
                     field as usize - base as usize, size);
        )*
        println!("{} {}", stringify!($type), std::mem::size_of::<$type>());
    }};
}

// Lines "struct field offset size", and "struct size": a test compares them with C's.
fn print_layouts() {
    print_layout!(acre_stack {
        base,
        size,
        header,
        guard_kind,
        generation,
        private_
    });
    print_layout!(acre_stack_info {
        base,
        size,
        header,
        pool,
        tag,
        r#where,
        generation,
        guard_kind,
        padding,
    });
    print_layout!(acre_stack_pool_opts {
        stack_size,
        guard_size,
        header_size,
        max_stacks,
        keep,
        tag,
        flags,
        reserved,
    });
    println!("ACRE_STACK_GUARD {}", ACRE_STACK_GUARD);
}

fn main() -> Result<(), Error> {
    if std::env::args().nth(1).as_deref() == Some("--layout") {
        print_layouts();
        return Ok(());
    }
    // Twice as many as are wanted: threads keep some ready, which others cannot take.
    let pool = Pool::new(64 * 1024, 2 * THREADS * EACH)?;
    let guarded = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..THREADS)
            .map(|i| {
                scope.spawn({
                    let pool = &pool;
                    move || use_stacks(pool, i)
                })
            })
            .collect();
        threads
            .into_iter()
            .map(|thread| thread.join().unwrap())
            .sum::<Result<usize, Error>>()
    })?;
    println!(
        "{} stacks taken by {} threads, {} with a guard",
        THREADS * EACH,
        THREADS,
        guarded
    );
    Ok(())
}
