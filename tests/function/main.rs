//! The real binary, driven through Lambda's Runtime API against the stand-in of AWS.

mod delivery;
mod faults;
mod load;
mod logs;
mod rig;
mod start;
mod tags;
mod vectors;
