//! Fields of common messages of ROS 2, for logs that do not bring the definitions of their types.

use std::collections::BTreeSet;

/// Type and fields. A type that differs between releases of ROS 2 is not here.
const TYPES: &[(&str, &str)] = &[
    (
        "control_msgs/DynamicJointState",
        "std_msgs/Header header\nstring[] joint_names\nInterfaceValue[] interface_values",
    ),
    ("control_msgs/InterfaceValue", "string[] interface_names\nfloat64[] values"),
    ("geometry_msgs/Accel", "Vector3 linear\nVector3 angular"),
    ("geometry_msgs/AccelStamped", "std_msgs/Header header\nAccel accel"),
    ("geometry_msgs/Point", "float64 x\nfloat64 y\nfloat64 z"),
    ("geometry_msgs/PointStamped", "std_msgs/Header header\nPoint point"),
    ("geometry_msgs/Pose", "Point position\nQuaternion orientation"),
    ("geometry_msgs/PoseArray", "std_msgs/Header header\nPose[] poses"),
    ("geometry_msgs/PoseStamped", "std_msgs/Header header\nPose pose"),
    ("geometry_msgs/PoseWithCovariance", "Pose pose\nfloat64[36] covariance"),
    ("geometry_msgs/PoseWithCovarianceStamped", "std_msgs/Header header\nPoseWithCovariance pose"),
    ("geometry_msgs/Quaternion", "float64 x\nfloat64 y\nfloat64 z\nfloat64 w"),
    ("geometry_msgs/QuaternionStamped", "std_msgs/Header header\nQuaternion quaternion"),
    ("geometry_msgs/Transform", "Vector3 translation\nQuaternion rotation"),
    ("geometry_msgs/TransformStamped", "std_msgs/Header header\nstring child_frame_id\nTransform transform"),
    ("geometry_msgs/Twist", "Vector3 linear\nVector3 angular"),
    ("geometry_msgs/TwistStamped", "std_msgs/Header header\nTwist twist"),
    ("geometry_msgs/TwistWithCovariance", "Twist twist\nfloat64[36] covariance"),
    ("geometry_msgs/TwistWithCovarianceStamped", "std_msgs/Header header\nTwistWithCovariance twist"),
    ("geometry_msgs/Vector3", "float64 x\nfloat64 y\nfloat64 z"),
    ("geometry_msgs/Vector3Stamped", "std_msgs/Header header\nVector3 vector"),
    ("geometry_msgs/Wrench", "Vector3 force\nVector3 torque"),
    ("geometry_msgs/WrenchStamped", "std_msgs/Header header\nWrench wrench"),
    (
        "nav_msgs/Odometry",
        "std_msgs/Header header\nstring child_frame_id\ngeometry_msgs/PoseWithCovariance pose\n\
         geometry_msgs/TwistWithCovariance twist",
    ),
    (
        "sensor_msgs/Imu",
        "std_msgs/Header header\ngeometry_msgs/Quaternion orientation\nfloat64[9] orientation_covariance\n\
         geometry_msgs/Vector3 angular_velocity\nfloat64[9] angular_velocity_covariance\n\
         geometry_msgs/Vector3 linear_acceleration\nfloat64[9] linear_acceleration_covariance",
    ),
    (
        "sensor_msgs/JointState",
        "std_msgs/Header header\nstring[] name\nfloat64[] position\nfloat64[] velocity\nfloat64[] effort",
    ),
    ("sensor_msgs/Joy", "std_msgs/Header header\nfloat32[] axes\nint32[] buttons"),
    (
        "sensor_msgs/MultiDOFJointState",
        "std_msgs/Header header\nstring[] joint_names\ngeometry_msgs/Transform[] transforms\n\
         geometry_msgs/Twist[] twist\ngeometry_msgs/Wrench[] wrench",
    ),
    ("sensor_msgs/Temperature", "std_msgs/Header header\nfloat64 temperature\nfloat64 variance"),
    ("std_msgs/Bool", "bool data"),
    ("std_msgs/Empty", ""),
    ("std_msgs/Float32", "float32 data"),
    ("std_msgs/Float32MultiArray", "MultiArrayLayout layout\nfloat32[] data"),
    ("std_msgs/Float64", "float64 data"),
    ("std_msgs/Float64MultiArray", "MultiArrayLayout layout\nfloat64[] data"),
    ("std_msgs/Header", "builtin_interfaces/Time stamp\nstring frame_id"),
    ("std_msgs/Int16", "int16 data"),
    ("std_msgs/Int16MultiArray", "MultiArrayLayout layout\nint16[] data"),
    ("std_msgs/Int32", "int32 data"),
    ("std_msgs/Int32MultiArray", "MultiArrayLayout layout\nint32[] data"),
    ("std_msgs/Int64", "int64 data"),
    ("std_msgs/Int64MultiArray", "MultiArrayLayout layout\nint64[] data"),
    ("std_msgs/Int8", "int8 data"),
    ("std_msgs/MultiArrayDimension", "string label\nuint32 size\nuint32 stride"),
    ("std_msgs/MultiArrayLayout", "MultiArrayDimension[] dim\nuint32 data_offset"),
    ("std_msgs/String", "string data"),
    ("std_msgs/UInt16", "uint16 data"),
    ("std_msgs/UInt32", "uint32 data"),
    ("std_msgs/UInt64", "uint64 data"),
    ("std_msgs/UInt8", "uint8 data"),
    ("tf2_msgs/TFMessage", "geometry_msgs/TransformStamped[] transforms"),
    ("trajectory_msgs/JointTrajectory", "std_msgs/Header header\nstring[] joint_names\nJointTrajectoryPoint[] points"),
    (
        "trajectory_msgs/JointTrajectoryPoint",
        "float64[] positions\nfloat64[] velocities\nfloat64[] accelerations\nfloat64[] effort\n\
         builtin_interfaces/Duration time_from_start",
    ),
    ("builtin_interfaces/Duration", "int32 sec\nuint32 nanosec"),
    ("builtin_interfaces/Time", "int32 sec\nuint32 nanosec"),
];

/// The definition of a type and of all that it uses, as logs of ROS 2 hold them; `None` of a type that is not known.
pub(crate) fn definition(type_name: &str) -> Option<String> {
    let root = super::schema::short(type_name);
    let mut text = format!("{}\n", fields(&root)?);
    let mut seen = BTreeSet::from([root.clone()]);
    let mut open = used(&root);
    while let Some(next) = open.pop() {
        if !seen.insert(next.clone()) {
            continue;
        }
        text += &format!("{}\nMSG: {next}\n{}\n", "=".repeat(80), fields(&next)?);
        open.append(&mut used(&next));
    }
    Some(text)
}

fn fields(name: &str) -> Option<&'static str> {
    TYPES.iter().find(|(known, _)| *known == name).map(|(_, fields)| *fields)
}

/// The types that the fields of `name` have, by their full names.
fn used(name: &str) -> Vec<String> {
    let package = name.split('/').next().unwrap_or_default();
    let types = fields(name).unwrap_or_default().lines().filter_map(|line| line.split(' ').next());
    let types = types.filter_map(|of| of.split('[').next());
    types
        .filter(|of| of.contains('/') || of.chars().next().is_some_and(char::is_uppercase))
        .map(|of| if of.contains('/') { of.to_string() } else { format!("{package}/{of}") })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::super::schema::{Schema, Wire};
    use super::*;

    #[test]
    fn every_definition_stands_alone() {
        for (name, _) in TYPES {
            let text = definition(name).unwrap_or_else(|| panic!("{name} uses a type that is not there"));
            Schema::parse(name, &text, Wire::Cdr).unwrap_or_else(|e| panic!("{name}: {e}"));
        }
    }
}
