//! Forward kinematics of a chain of revolute joints.
