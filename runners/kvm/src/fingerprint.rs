//! A hash that tells one build of this program from another.
//!
//! It is the 64-bit FNV-1a hash of the file's bytes: the harness computes the same of the file that it
//! put into the machine, and so knows that this is the program that ran.

/// The hash of `bytes`.
pub fn fnv1a(bytes: &[u8]) -> u64 {
    let step = |hash: u64, byte: &u8| (hash ^ u64::from(*byte)).wrapping_mul(0x100_0000_01b3);
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, step)
}

/// The hash of this program's file.
pub fn of_this_program() -> std::io::Result<u64> {
    Ok(fnv1a(&std::fs::read("/proc/self/exe")?))
}

#[cfg(test)]
mod tests {
    #[test]
    fn fnv_is_fnv() {
        assert_eq!(super::fnv1a(b"foobar"), 0x8594_4171_f739_67e8);
    }
}
