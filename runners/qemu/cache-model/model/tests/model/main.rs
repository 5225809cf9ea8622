//! The model on random sequences of what programs do to memory.

mod laws;
mod restart;
mod sequence;
mod slow_model;
