//! Memory that cases do things to.

use core::fmt;

/// Memory that a case may do anything to: it lies on both sides of the caches, and is more than one way of them.
///
/// With stage 1 off the cacheable address is the physical one, and the other is not mapped.
#[derive(Clone, Copy, Debug)]
pub struct Arena {
    cached: Place,
    uncached: Place,
}

impl Arena {
    /// The arena of `size` bytes at `cached`, where it is write-back cacheable while the cache is on, and at
    /// `uncached`, where it is Normal Non-cacheable while the MMU is on.
    ///
    /// # Safety
    ///
    /// Both must be addresses of the same memory, aligned to its size's lines, that only cases use, by way of
    /// arenas like this.
    pub const unsafe fn new(cached: *mut u8, uncached: *mut u8, size: usize) -> Self {
        // SAFETY: the caller's.
        unsafe {
            Self {
                cached: Place::new(cached, size),
                uncached: Place::new(uncached, size),
            }
        }
    }

    /// The arena through the caches.
    pub const fn cached(self) -> Place {
        self.cached
    }

    /// The arena past the caches. An access aborts while the MMU is off.
    pub const fn uncached(self) -> Place {
        self.uncached
    }
}

/// A place in memory that only cases use, and as much of it as comes after.
///
/// All accesses are volatile, and none leaves the memory: what a case does to a place can do no harm.
#[derive(Clone, Copy)]
pub struct Place {
    at: *mut u8,
    size: usize,
}

/// What can be stored at a place and loaded from it: any bytes are a value of it.
///
/// # Safety
///
/// All bytes of it are its value, and every value of those bytes is one of it.
pub unsafe trait Plain: Copy {}

// SAFETY: numbers, and arrays of them.
unsafe impl Plain for u32 {}
// SAFETY: numbers, and arrays of them.
unsafe impl Plain for u64 {}
// SAFETY: numbers, and arrays of them.
unsafe impl Plain for [u32; 2] {}
// SAFETY: numbers, and arrays of them.
unsafe impl Plain for [u8; 64] {}

impl fmt::Debug for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:p}+{:#x}", self.at, self.size)
    }
}

impl Place {
    /// The `size` bytes at `at`.
    ///
    /// # Safety
    ///
    /// They must be memory that only cases use, by way of places like this, for as long as the case runs.
    pub const unsafe fn new(at: *mut u8, size: usize) -> Self {
        Self { at, size }
    }

    /// The place `bytes` further on.
    ///
    /// # Panics
    ///
    /// If that is outside.
    #[inline(always)]
    pub const fn byte(self, bytes: usize) -> Self {
        assert!(bytes <= self.size, "a place outside of the case's memory");
        Self {
            at: self.at.wrapping_add(bytes),
            size: self.size - bytes,
        }
    }

    /// The place `words` words of 64 bits further on.
    ///
    /// # Panics
    ///
    /// If that is outside.
    #[inline(always)]
    pub const fn word(self, words: usize) -> Self {
        self.byte(8 * words)
    }

    /// Its address.
    pub fn address(self) -> usize {
        self.at as usize
    }

    /// Its address as a pointer.
    pub const fn as_ptr(self) -> *mut u8 {
        self.at
    }

    /// How many bytes there are from here on.
    pub const fn size(self) -> usize {
        self.size
    }

    #[inline(always)]
    fn pointer<T: Plain>(self) -> *mut T {
        let at = self.at.cast::<T>();
        assert!(size_of::<T>() <= self.size && at.is_aligned());
        at
    }

    /// Loads what is there.
    ///
    /// # Panics
    ///
    /// If that is outside, or not aligned.
    #[inline(always)]
    pub fn load<T: Plain>(self) -> T {
        // SAFETY: all of it is in the case's memory, as the one who made the place says, and any bytes will do.
        unsafe { self.pointer::<T>().read_volatile() }
    }

    /// Stores `value` there.
    ///
    /// # Panics
    ///
    /// If that is outside, or not aligned.
    #[inline(always)]
    pub fn store<T: Plain>(self, value: T) {
        // SAFETY: as in `load`, and nobody else uses the memory.
        unsafe { self.pointer::<T>().write_volatile(value) }
    }
}
