//! Attaching to revive over a wire.

mod figures;

pub use figures::Figures;
