//! Where the program's memory comes from.
#![allow(unsafe_code)]

use mimalloc::MiMalloc;
use std::alloc::{GlobalAlloc, Layout, System};

/// Bytes from which memory is the system's own: arrays of logs, which go back to it when they are done with.
const LARGE: usize = 32 << 20;

/// mimalloc, but for large arrays. Training allocates and frees tensors of megabytes at every step. The system's
/// allocator may give them back to the kernel each time, which then clears them anew: up to half of a training's time
/// (`benches/README.md`).
pub(super) struct Memory;

fn is_large(size: usize) -> bool {
    size >= LARGE
}

// SAFETY: every block goes back to the allocator that it came from, which its size tells.
unsafe impl GlobalAlloc for Memory {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: what the caller promises is what both ask for.
        unsafe { if is_large(layout.size()) { System.alloc(layout) } else { MiMalloc.alloc(layout) } }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        // SAFETY: as in `alloc`.
        unsafe { if is_large(layout.size()) { System.alloc_zeroed(layout) } else { MiMalloc.alloc_zeroed(layout) } }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        // SAFETY: a block of this size came from the same allocator.
        unsafe { if is_large(layout.size()) { System.dealloc(block, layout) } else { MiMalloc.dealloc(block, layout) } }
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        // SAFETY: within one allocator as in `dealloc`; from one to the other a new block of both sizes' overlap is
        // copied before the old one goes.
        unsafe {
            match (is_large(layout.size()), is_large(size)) {
                (true, true) => System.realloc(block, layout, size),
                (false, false) => MiMalloc.realloc(block, layout, size),
                _ => {
                    let new = self.alloc(Layout::from_size_align_unchecked(size, layout.align()));
                    if !new.is_null() {
                        std::ptr::copy_nonoverlapping(block, new, layout.size().min(size));
                        self.dealloc(block, layout);
                    }
                    new
                }
            }
        }
    }
}

/// Memory once had stays with the process: given back, it would be cleared by the kernel anew for the next step's
/// tensors, which was a quarter of a training's time (`benches/README.md`).
pub(super) fn keep_freed() {
    /// `mi_option_purge_delay` of mimalloc 2 and 3, which the bindings do not name; -1 is never.
    const PURGE_DELAY: libmimalloc_sys::mi_option_t = 15;
    // SAFETY: sets a number of the allocator that is linked in; no other thread exists yet.
    unsafe { libmimalloc_sys::mi_option_set(PURGE_DELAY, -1) };
}
