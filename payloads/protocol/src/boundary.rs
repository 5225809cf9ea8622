//! Immediates of SVC by which an agent, at EL0, marks what belongs to a run. The system that it runs on
//! does not look at them; a witness outside finds them in the syndrome.

/// The run begins.
pub const BEGINS: u16 = 0x5e71;

/// It has ended.
pub const ENDS: u16 = 0x5e72;
