//! [`type_classes`]: the paper's types of categories, by name.

use std::slice;

use crate::{DataError, Dataset};

/// Dataset, type, classes: those that the paper's global selections specify.
const TYPES: &[(&str, &str, &[&str])] = &[
    ("VOC 2012", "Vehicles", &["aeroplane", "bicycle", "boat", "bus", "car", "motorbike", "train"]),
    ("VOC 2012", "Animals", &["bird", "cat", "cow", "dog", "horse", "sheep"]),
    (
        "VOC 2012",
        "Household",
        &["bottle", "chair", "diningtable", "pottedplant", "sofa", "tvmonitor"],
    ),
    ("VOC 2012", "Person", &["person"]),
];

/// The label indices, ascending, of a type of categories: one of the paper's for this dataset
/// (Sun et al. 2023, Section 5), or a single class. Upper and lower case are the
/// same, and spaces around the name don't count.
///
/// The paper's Table 6 prints VOC's Vehicles and Animals the wrong way round; here each has its
/// own classes.
///
/// # Errors
/// [`DataError::UnknownType`], listing the names there are.
///
/// # Example
///
/// ```
/// use tkmia_data::{Dataset, Voc2012, type_classes};
///
/// # let root = concat!(env!("CARGO_MANIFEST_DIR"), "/../../assets/mini-voc");
/// let voc = Voc2012::open(root, "val")?;
/// let household = type_classes(&voc, "household")?;
/// assert_eq!(voc.classes()[household[0]], "bottle");
/// assert_eq!(type_classes(&voc, "Person")?, [14]);
/// # Ok::<(), tkmia_data::DataError>(())
/// ```
pub fn type_classes(dataset: &dyn Dataset, name: &str) -> Result<Vec<usize>, DataError> {
    let name = name.trim();
    let classes = dataset.classes();
    let types = || TYPES.iter().filter(|(of, ..)| *of == dataset.name());

    let members: &[&str] = types()
        .find(|(_, type_name, _)| type_name.eq_ignore_ascii_case(name))
        .map_or(slice::from_ref(&name), |(.., members)| members);
    let is_member = |class: &str| members.iter().any(|member| member.eq_ignore_ascii_case(class));
    let found: Vec<usize> = (0..classes.len()).filter(|&at| is_member(&classes[at])).collect();
    if found.is_empty() {
        let known = types().map(|(_, type_name, _)| *type_name).map(String::from);
        return Err(DataError::UnknownType {
            dataset: dataset.name().into(),
            found: name.into(),
            known: known.chain(classes.iter().cloned()).collect(),
        });
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use tkmia_core::LabelSet;

    use super::*;
    use crate::VOC_CLASSES;

    #[derive(Debug)]
    struct Named(&'static str, Vec<String>);

    impl Dataset for Named {
        fn name(&self) -> &str {
            self.0
        }
        fn classes(&self) -> &[String] {
            &self.1
        }
        fn labels(&self) -> &LabelSet {
            unimplemented!()
        }
        fn id(&self, _: usize) -> &str {
            unimplemented!()
        }
        fn image_path(&self, _: usize) -> PathBuf {
            unimplemented!()
        }
    }

    fn voc() -> Named {
        Named("VOC 2012", VOC_CLASSES.map(String::from).into())
    }

    #[test]
    fn the_types_of_voc_share_out_its_classes() -> Result<(), DataError> {
        let mut all = Vec::new();
        for (_, name, members) in TYPES {
            let classes = type_classes(&voc(), name)?;
            assert_eq!(classes.iter().map(|&at| VOC_CLASSES[at]).collect::<Vec<_>>(), *members);
            all.extend(classes);
        }
        all.sort();
        assert_eq!(all, (0..20).collect::<Vec<_>>());
        Ok(())
    }

    #[test]
    fn a_class_is_a_type_of_its_own_in_any_dataset() -> Result<(), DataError> {
        let own = Named("holiday", vec!["Beach".into(), "Snow".into()]);
        assert_eq!(type_classes(&own, "snow")?, [1]);
        Ok(())
    }

    #[test]
    fn an_unknown_type_is_answered_with_the_names_there_are() {
        let error = type_classes(&voc(), "Furniture").unwrap_err().to_string();
        let expected = "VOC 2012: no type or class `Furniture`, expected one of: \
                        Vehicles, Animals, Household, Person, aeroplane, ";
        assert!(error.starts_with(expected), "{error}");
    }
}
