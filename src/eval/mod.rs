//! How good a forecast is: metrics and the report.
