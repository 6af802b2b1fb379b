// bumpalo's side of the questions about arenas: the same rounds as in the files of C++, in Rust, so
// that its allocations are inlined as they are in a program that uses it.  ./dev bench builds this
// with Debian's rustc and crate.
#![crate_type = "cdylib"]

extern crate bumpalo;

use bumpalo::Bump;
use std::alloc::Layout;
use std::arch::asm;

// Memory is read and written here, as far as the compiler knows.
#[inline(always)]
fn clobber() {
    unsafe { asm!("", options(nostack, preserves_flags)) }
}

// The same, and the block is used.
#[inline(always)]
fn keep(block: *mut u8) {
    unsafe { asm!("/* {0} */", in(reg) block, options(nostack, preserves_flags)) }
}

#[inline(always)]
fn block<const SIZE: usize, const ALIGN: usize>(bump: &Bump) -> *mut u8 {
    bump.alloc_layout(unsafe { Layout::from_size_align_unchecked(SIZE, ALIGN) })
        .as_ptr()
}

#[inline(always)]
fn any(bump: &Bump, size: usize) -> *mut u8 {
    bump.alloc_layout(unsafe { Layout::from_size_align_unchecked(size, 16) })
        .as_ptr()
}

thread_local! {
    static BUMP: std::cell::UnsafeCell<Bump> = std::cell::UnsafeCell::new(Bump::new());
}

#[no_mangle]
pub unsafe extern "C" fn acre_bumpalo_hot_natural(
    kept: *mut *mut u8,
    _sizes: *const usize,
    count: usize,
) {
    BUMP.with(|cell| {
        let bump = &mut *cell.get();
        let mut i = 0;
        while i < count {
            macro_rules! next {
                ($index:expr, $size:expr, $align:expr) => {
                    *kept.add(i + $index) = block::<$size, $align>(bump);
                    clobber();
                };
            }
            next!(0, 8, 8);
            next!(1, 16, 16);
            next!(2, 24, 8);
            next!(3, 32, 16);
            next!(4, 40, 8);
            next!(5, 48, 16);
            next!(6, 56, 8);
            next!(7, 64, 16);
            i += 8;
        }
        bump.reset();
    })
}

#[no_mangle]
pub unsafe extern "C" fn acre_bumpalo_hot_any(
    kept: *mut *mut u8,
    sizes: *const usize,
    count: usize,
) {
    BUMP.with(|cell| {
        let bump = &mut *cell.get();
        for i in 0..count {
            *kept.add(i) = any(bump, *sizes.add(i));
            clobber();
        }
        bump.reset();
    })
}

#[no_mangle]
pub extern "C" fn acre_bumpalo_create() -> *mut Bump {
    Box::into_raw(Box::new(Bump::new()))
}

#[no_mangle]
pub unsafe extern "C" fn acre_bumpalo_destroy(bump: *mut Bump) {
    drop(Box::from_raw(bump))
}

#[no_mangle]
pub unsafe extern "C" fn acre_bumpalo_request(
    bump: *mut Bump,
    sizes: *const usize,
    count: usize,
    step: usize,
) {
    let bump = &mut *bump;
    for i in 0..count {
        let size = *sizes.add(i);
        let block = any(bump, size);
        let mut at = 0;
        while at < size {
            *block.add(at) = 1;
            at += step;
        }
        clobber();
    }
    bump.reset();
}

#[repr(C)]
struct Node {
    left: *mut Node,
    right: *mut Node,
}

unsafe fn build(bump: &Bump, depth: i32) -> *mut Node {
    let node = block::<16, 8>(bump) as *mut Node;
    let none = std::ptr::null_mut();
    (*node).left = if depth > 0 { build(bump, depth - 1) } else { none };
    (*node).right = if depth > 0 { build(bump, depth - 1) } else { none };
    node
}

unsafe fn count_nodes(node: *const Node) -> usize {
    if (*node).left.is_null() {
        1
    } else {
        1 + count_nodes((*node).left) + count_nodes((*node).right)
    }
}

#[no_mangle]
pub unsafe extern "C" fn acre_bumpalo_tree(bump: *mut Bump, depth: i32) -> usize {
    let nodes = count_nodes(build(&*bump, depth));
    (*bump).reset();
    nodes
}

#[no_mangle]
pub extern "C" fn acre_bumpalo_life(count: usize) {
    let bump = Bump::new();
    for _ in 0..count {
        keep(block::<64, 16>(&bump));
    }
}

#[no_mangle]
pub unsafe extern "C" fn acre_bumpalo_fill(count: usize) {
    let bump = Box::leak(Box::new(Bump::new()));
    for _ in 0..count {
        let filled = block::<48, 16>(bump);
        std::ptr::write_bytes(filled, 1, 48);
        keep(filled);
    }
}
