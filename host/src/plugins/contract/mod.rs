//! One file for each supported line of the contract in `wit/`: its bindings, and the change of its types into the domain's.
//! Nothing outside of this folder and of `capabilities` knows a generated type.

pub(super) mod v0_1;
