//! Fields that hold one of a few words are enums, whose words stand beside the variants.

/// A word and what it means, for lists and the manual.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WordSpec {
    /// The word.
    pub word: &'static str,
    /// What it means.
    pub doc: &'static str,
}

/// An enum of words.
pub trait Word: Copy + Sized + 'static {
    /// All of them.
    const WORDS: &'static [WordSpec];

    /// The word.
    fn name(self) -> &'static str;

    /// What `name` stands for; `None` if it is no such word.
    fn by_name(name: &str) -> Option<Self>;
}

/// Declares enums of words.
macro_rules! words {
    ($(
        $(#[doc = $doc:literal])+
        $Name:ident { $( #[doc = $meaning:literal] $Variant:ident = $word:literal, )+ }
    )*) => {$(
        $(#[doc = $doc])+
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum $Name {
            $( #[doc = $meaning] $Variant, )+
        }

        impl $Name {
            /// All of them, in the order of their declaration.
            pub const ALL: &'static [Self] = &[$(Self::$Variant),+];
        }

        impl $crate::Word for $Name {
            const WORDS: &'static [$crate::WordSpec] = &[
                $($crate::WordSpec { word: $word, doc: $meaning }),+
            ];

            fn name(self) -> &'static str {
                match self {
                    $(Self::$Variant => $word),+
                }
            }

            fn by_name(name: &str) -> Option<Self> {
                match name {
                    $($word => Some(Self::$Variant),)+
                    _ => None,
                }
            }
        }

        impl core::fmt::Display for $Name {
            fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
                f.pad($crate::Word::name(*self))
            }
        }

        impl<'a> $crate::Value<'a> for $Name {
            const FORM: $crate::Form = $crate::Form::Word(<Self as $crate::Word>::WORDS);

            fn write(&self, out: &mut dyn core::fmt::Write) -> core::fmt::Result {
                out.write_str($crate::Word::name(*self))
            }

            fn read(text: &'a str) -> Option<Self> {
                <Self as $crate::Word>::by_name(text)
            }
        }
    )*};
}
