//! What proves that a line is whole, and, where a guest could have written it, who wrote it.

use core::{fmt, hash::Hasher, str::FromStr};

use siphasher::sip::SipHasher24;

/// A CRC-32 (the one of Ethernet and zip), with the smallest table: these lines are short.
const CRC: crc::Crc<u32, crc::Table<1>> =
    crc::Crc::<u32, crc::Table<1>>::new(&crc::CRC_32_ISO_HDLC);

/// The secret of one boot, by which its hypervisor and its agent are known.
///
/// The default is the key of programs that are used by hand: all zeros, and no secret.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Key([u8; 16]);

impl Key {
    /// The key of these bytes.
    pub const fn new(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

    /// Its bytes.
    pub const fn bytes(self) -> [u8; 16] {
        self.0
    }
}

/// The key as a command line has it: 32 hexadecimal digits.
impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// A text that is no key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotAKey;

impl fmt::Display for NotAKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a key is 32 hexadecimal digits")
    }
}

impl core::error::Error for NotAKey {}

impl FromStr for Key {
    type Err = NotAKey;

    fn from_str(text: &str) -> Result<Self, NotAKey> {
        let digits = text.as_bytes();
        if digits.len() != 32 {
            return Err(NotAKey);
        }
        let mut key = [0; 16];
        for (byte, pair) in key.iter_mut().zip(digits.chunks_exact(2)) {
            for digit in pair {
                let digit = char::from(*digit).to_digit(16).ok_or(NotAKey)?;
                *byte = *byte << 4 | digit as u8;
            }
        }
        Ok(Self(key))
    }
}

/// How the lines of a stream are sealed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Seal {
    /// By a CRC-32 in eight hexadecimal digits, which shows damage.
    Checksum,
    /// By the SipHash-2-4 in sixteen hexadecimal digits that only those can compute who have the key.
    Keyed(Key),
}

impl Seal {
    /// How many hexadecimal digits it has.
    pub(crate) const fn digits(self) -> usize {
        match self {
            Self::Checksum => 8,
            Self::Keyed(_) => 16,
        }
    }

    /// What is to be computed over a line.
    pub(crate) fn digest(self) -> Digest {
        match self {
            Self::Checksum => Digest::Checksum(CRC.digest()),
            Self::Keyed(key) => Digest::Keyed(SipHasher24::new_with_key(&key.0)),
        }
    }

    /// The seal of a line.
    pub(crate) fn of(self, body: &str) -> u64 {
        let mut digest = self.digest();
        digest.update(body);
        digest.finish()
    }
}

/// A seal that is being computed.
pub(crate) enum Digest {
    Checksum(crc::Digest<'static, u32, crc::Table<1>>),
    Keyed(SipHasher24),
}

impl Digest {
    /// Takes in more of the line.
    pub(crate) fn update(&mut self, text: &str) {
        match self {
            Self::Checksum(digest) => digest.update(text.as_bytes()),
            Self::Keyed(digest) => digest.write(text.as_bytes()),
        }
    }

    /// The seal of all that was taken in.
    pub(crate) fn finish(self) -> u64 {
        match self {
            Self::Checksum(digest) => digest.finalize().into(),
            Self::Keyed(digest) => digest.finish(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_read_as_they_are_written() {
        let key = Key::new(core::array::from_fn(|n| n as u8 * 17));
        assert_eq!(key.to_string(), "00112233445566778899aabbccddeeff");
        assert_eq!(key.to_string().parse(), Ok(key));
        for bad in ["", "00", "0011223344556677 899aabbccddeeff", "é"] {
            assert_eq!(bad.parse::<Key>(), Err(NotAKey), "{bad}");
        }
    }

    /// The example of the paper (J.-P. Aumasson and D. J. Bernstein, “SipHash: a fast short-input PRF”,
    /// appendix A), which has bytes that are no text, cut where they are ASCII, was computed by the
    /// authors' reference program; this vector is of its table, for the empty message.
    #[test]
    fn the_hash_is_siphash_2_4() {
        let key = Key::new(core::array::from_fn(|n| n as u8));
        assert_eq!(Seal::Keyed(key).of(""), 0x726f_db47_dd0e_0e31);
        let all: String = (0..15u8).map(char::from).collect();
        assert_eq!(Seal::Keyed(key).of(&all), 0xa129_ca61_49be_45e5);
    }
}
