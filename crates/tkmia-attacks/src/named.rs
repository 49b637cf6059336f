//! [`named`]: enums by names.

/// An enum whose values have names in kebab case, the same in files, on command lines and in records; their doc
/// comments are the help of the command line.
macro_rules! named {
    ($item:item) => {
        #[derive(
            Debug,
            Clone,
            Copy,
            PartialEq,
            Eq,
            Hash,
            serde::Serialize,
            serde::Deserialize,
            schemars::JsonSchema,
            strum::Display,
            strum::EnumIter,
            strum::EnumString,
            strum::IntoStaticStr,
        )]
        #[serde(rename_all = "kebab-case")]
        #[strum(serialize_all = "kebab-case")]
        $item
    };
}
