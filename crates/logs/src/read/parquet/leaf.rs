//! What a column of a Parquet file holds.

use parquet::basic::{ConvertedType, LogicalType, Repetition, TimeUnit, Type as Physical};
use parquet::schema::types::{ColumnDescPtr, SchemaDescriptor, Type, TypePtr};

/// A column of a Parquet file.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Leaf {
    /// Name; of a part of a struct `STRUCT.PART`.
    pub name: String,
    /// Which column of the file it is.
    pub column: usize,
    /// What its cells are.
    pub kind: Kind,
    /// Definition level of a cell that is there.
    pub defined: i16,
    /// Definition level from which on a list has an element, be it empty; 0 where the cells are no lists.
    pub element: i16,
    /// Whether a cell is a list (of lists).
    repeated: bool,
    /// Whether the cells can only be whole numbers.
    whole: bool,
}

/// What a cell is.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Kind {
    /// A number: what is stored, divided by this.
    Number(f64),
    /// A number without a sign.
    Unsigned,
    /// A number of 16 bits.
    Half,
    /// A time stamp: what is stored divided by this are seconds.
    Stamp(f64),
    /// Text.
    Text,
    /// Anything else.
    Other,
}

impl Leaf {
    /// The column number `column` of a schema.
    pub fn new(schema: &SchemaDescriptor, column: usize) -> Self {
        let described = schema.column(column);
        let root = schema.get_column_root_ptr(column);
        let mut names = vec![root.name().to_string()];
        let (mut defined, mut element) = (0, 0);
        let mut within = Walk { names: &mut names, defined: &mut defined, element: &mut element };
        within.step(&root, &described.path().parts()[1..]);
        Self {
            name: names.join("."),
            column,
            kind: kind(&described),
            defined: described.max_def_level(),
            element,
            repeated: described.max_rep_level() > 0,
            whole: matches!(described.physical_type(), Physical::INT32 | Physical::INT64)
                && !matches!(described.logical_type_ref(), Some(LogicalType::Decimal(_))),
        }
    }

    /// Whether the cells can only be whole numbers.
    pub fn is_whole(&self) -> bool {
        self.whole
    }

    /// Whether a cell is a list.
    pub fn is_list(&self) -> bool {
        self.repeated
    }

    /// Whether the cells are numbers, or lists of numbers.
    pub fn is_number(&self) -> bool {
        matches!(self.kind, Kind::Number(_) | Kind::Unsigned | Kind::Half)
    }

    /// The names of the columns that `width` numbers a row become: `name`, or `name[0]`, `name[1]` and so on.
    pub fn names(&self, width: usize) -> Vec<String> {
        let name = |i| if self.is_list() { format!("{}[{i}]", self.name) } else { self.name.clone() };
        (0..width).map(name).collect()
    }
}

/// On the way from the root to a column.
struct Walk<'a> {
    names: &'a mut Vec<String>,
    defined: &'a mut i16,
    element: &'a mut i16,
}

impl Walk<'_> {
    /// Counts this node, and goes on to the part of it that `path` begins with.
    fn step(&mut self, node: &TypePtr, path: &[String]) {
        let info = node.get_basic_info();
        let repetition = if info.has_repetition() { info.repetition() } else { Repetition::REQUIRED };
        if repetition != Repetition::REQUIRED {
            *self.defined += 1;
        }
        if repetition == Repetition::REPEATED {
            *self.element = *self.defined;
        }
        // What lies within a list has the list's name.
        let list = is_list(node) || repetition == Repetition::REPEATED;
        let Type::GroupType { fields, .. } = &**node else { return };
        let Some((name, rest)) = path.split_first() else { return };
        let Some(part) = fields.iter().find(|f| f.name() == name) else { return };
        if !list {
            self.names.push(name.clone());
        }
        self.step(part, rest);
    }
}

fn is_list(node: &Type) -> bool {
    let info = node.get_basic_info();
    matches!(info.logical_type_ref(), Some(LogicalType::List)) || info.converted_type() == ConvertedType::LIST
}

fn kind(described: &ColumnDescPtr) -> Kind {
    let per_sec = |unit: &TimeUnit| match unit {
        TimeUnit::MILLIS => 1e3,
        TimeUnit::MICROS => 1e6,
        TimeUnit::NANOS => 1e9,
    };
    let logical = described.logical_type_ref();
    match (described.physical_type(), logical, described.converted_type()) {
        (Physical::INT96, ..) => Kind::Stamp(1e9),
        (Physical::INT64, Some(LogicalType::Timestamp(stamp)), _) => Kind::Stamp(per_sec(&stamp.unit)),
        (Physical::INT64, None, ConvertedType::TIMESTAMP_MILLIS) => Kind::Stamp(1e3),
        (Physical::INT64, None, ConvertedType::TIMESTAMP_MICROS) => Kind::Stamp(1e6),
        (_, Some(LogicalType::Time(_) | LogicalType::Date), _) => Kind::Other,
        (_, _, ConvertedType::DATE | ConvertedType::TIME_MILLIS | ConvertedType::TIME_MICROS) => Kind::Other,
        (Physical::INT32 | Physical::INT64, Some(LogicalType::Decimal(decimal)), _) => {
            Kind::Number(10f64.powi(decimal.scale))
        }
        (Physical::INT32 | Physical::INT64, None, ConvertedType::DECIMAL) => {
            Kind::Number(10f64.powi(described.type_scale()))
        }
        (Physical::INT32 | Physical::INT64, Some(LogicalType::Integer(int)), _) if !int.is_signed => Kind::Unsigned,
        (Physical::INT32 | Physical::INT64, None, ConvertedType::UINT_32 | ConvertedType::UINT_64) => Kind::Unsigned,
        (Physical::FIXED_LEN_BYTE_ARRAY, Some(LogicalType::Float16), _) => Kind::Half,
        (Physical::BYTE_ARRAY, Some(LogicalType::String | LogicalType::Enum), _) => Kind::Text,
        (Physical::BYTE_ARRAY, None, ConvertedType::UTF8 | ConvertedType::ENUM) => Kind::Text,
        (Physical::BYTE_ARRAY | Physical::FIXED_LEN_BYTE_ARRAY, ..) => Kind::Other,
        _ => Kind::Number(1.0),
    }
}
