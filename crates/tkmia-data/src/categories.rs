//! [`type_classes`]: the paper's types of categories, by name.

use std::collections::BTreeSet;

use crate::{DataError, Dataset};

/// Dataset, type and its classes, `;` between them: those that the paper's global selections
/// specify (Sun et al. 2023, Tables 6 to 8), and the one that its published code has otherwise.
const TYPES: &str = include_str!("types.csv");

/// The label indices, ascending, of a type of categories: one of the paper's for this dataset
/// (Sun et al. 2023, Tables 6 to 8), a single class, or several of either with `;` between them.
/// Spaces around a name don't count, nor does upper or lower case unless two names differ by it.
///
/// - The paper's Table 6 prints VOC's Vehicles and Animals the wrong way round; here each has its
///   own classes.
/// - The label lists that the published code is run with are the paper's types, but for COCO's
///   Electrical equipment, to which they add the hair drier. `Electrical equipment (released)` is
///   that list.
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
/// assert_eq!(type_classes(&voc, "sofa; person; cat")?, [7, 14, 17]);
/// # Ok::<(), tkmia_data::DataError>(())
/// ```
pub fn type_classes(dataset: &dyn Dataset, name: &str) -> Result<Vec<usize>, DataError> {
    let name = name.trim();
    // A class of one's own may have a `;` in its name.
    let whole = one_type(dataset, name);
    if whole.is_ok() || !name.contains(';') {
        return whole;
    }
    let mut labels = BTreeSet::new();
    for part in name.split(';') {
        labels.extend(one_type(dataset, part.trim())?);
    }
    Ok(labels.into_iter().collect())
}

/// The labels of a type or of a class. As written goes before in whichever case: NUS-WIDE has a
/// type `Buildings`, and in it a class `buildings`.
fn one_type(dataset: &dyn Dataset, name: &str) -> Result<Vec<usize>, DataError> {
    let class = |name: &str, same: Same| {
        let found = dataset.classes().iter().position(|class| same(class, name));
        found.ok_or_else(|| unknown(dataset, name))
    };
    let rules: [Same; 2] = [|a, b| a == b, str::eq_ignore_ascii_case];
    for same in rules {
        if let Some((_, members)) = types(dataset).find(|(of, _)| same(of, name)) {
            let labels = members.split(';').map(|member| class(member, same));
            return Ok(labels.collect::<Result<BTreeSet<_>, _>>()?.into_iter().collect());
        }
        if let Ok(label) = class(name, same) {
            return Ok(vec![label]);
        }
    }
    Err(unknown(dataset, name))
}

/// Whether two names are the same.
type Same = fn(&str, &str) -> bool;

fn unknown(dataset: &dyn Dataset, name: &str) -> DataError {
    let types = types(dataset).map(|(name, _)| name.into());
    DataError::UnknownType {
        dataset: dataset.name().into(),
        found: name.into(),
        known: types.chain(dataset.classes().iter().cloned()).collect(),
    }
}

/// Name and classes of each of a dataset's types.
fn types(dataset: &dyn Dataset) -> impl Iterator<Item = (&'static str, &'static str)> {
    TYPES.lines().filter_map(|line| {
        let (of, line) = line.split_once(',')?;
        (of == dataset.name()).then(|| line.split_once(','))?
    })
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use tkmia_core::LabelSet;

    use super::*;
    use crate::miniature::COCO_CATEGORIES;
    use crate::{Listing, NUS_WIDE_CONCEPTS, VOC_CLASSES};

    #[derive(Debug)]
    struct Named(Listing);

    impl Dataset for Named {
        fn listing(&self) -> &Listing {
            &self.0
        }
        fn image_path(&self, _: usize) -> PathBuf {
            unimplemented!()
        }
    }

    /// A data set of one image without labels.
    fn named(name: &str, classes: &[&str]) -> Named {
        let labels = LabelSet::from_indices(&[&[]], classes.len()).unwrap();
        let classes = classes.iter().map(|class| class.to_string()).collect();
        let (name, ids) = (name.to_owned(), vec!["only".to_owned()]);
        Named(Listing { name, classes, ids, labels, left_out: 0 })
    }

    fn voc() -> Named {
        named("VOC 2012", &VOC_CLASSES)
    }

    fn coco() -> Named {
        named("COCO 2014", &COCO_CATEGORIES.map(|(_, name)| name))
    }

    fn nus_wide() -> Named {
        named("NUS-WIDE", &NUS_WIDE_CONCEPTS)
    }

    #[test]
    fn every_type_is_made_of_classes_of_its_dataset() -> Result<(), DataError> {
        let mut found = 0;
        for dataset in [voc(), coco(), nus_wide()] {
            for (name, members) in types(&dataset) {
                let labels = type_classes(&dataset, name)?;
                assert_eq!(labels.len(), members.split(';').count(), "{name}");
                for member in members.split(';') {
                    assert!(
                        labels.iter().any(|&label| dataset.classes()[label] == member),
                        "{member}"
                    );
                }
                found += 1;
            }
        }
        assert_eq!(found, TYPES.lines().count() - 1);
        Ok(())
    }

    #[test]
    fn the_types_of_voc_share_out_its_classes() -> Result<(), DataError> {
        let mut all = Vec::new();
        for (name, _) in types(&voc()) {
            all.extend(type_classes(&voc(), name)?);
        }
        all.sort();
        assert_eq!(all, (0..20).collect::<Vec<_>>());
        Ok(())
    }

    /// `--specific_index` of the published code's commands.
    #[test]
    fn types_are_the_label_lists_that_the_published_code_is_run_with() -> Result<(), DataError> {
        assert_eq!(type_classes(&voc(), "Vehicles")?, [0, 1, 3, 5, 6, 13, 18]);
        assert_eq!(type_classes(&voc(), "Household")?, [4, 8, 10, 15, 17, 19]);
        let daily = [24, 25, 26, 27, 28, 73, 74, 75, 76, 77, 79];
        assert_eq!(type_classes(&coco(), "Daily necessities")?, daily);
        let mut electrical = vec![62, 63, 64, 65, 66, 67, 68, 69, 70, 72];
        assert_eq!(type_classes(&coco(), "electrical equipment")?, electrical);
        electrical.push(78);
        assert_eq!(type_classes(&coco(), "Electrical equipment (released)")?, electrical);
        Ok(())
    }

    #[test]
    fn a_class_is_a_type_of_its_own_in_any_dataset() -> Result<(), DataError> {
        let own = named("holiday", &["Beach", "Snow", "sun; wind"]);
        assert_eq!(type_classes(&own, "snow")?, [1]);
        assert_eq!(type_classes(&own, "Sun; wind")?, [2]);
        Ok(())
    }

    #[test]
    fn a_name_as_written_goes_before_one_in_another_case() -> Result<(), DataError> {
        assert_eq!(type_classes(&nus_wide(), "Buildings")?.len(), 7);
        assert_eq!(type_classes(&nus_wide(), "buildings")?, [8]);
        assert_eq!(type_classes(&nus_wide(), "BUILDINGS")?.len(), 7);
        Ok(())
    }

    #[test]
    fn types_and_classes_may_be_listed() -> Result<(), DataError> {
        assert_eq!(type_classes(&voc(), " person;Animals ; cat")?, [2, 7, 9, 11, 12, 14, 16]);
        Ok(())
    }

    #[test]
    fn an_unknown_type_is_answered_with_the_names_there_are() {
        let error = type_classes(&voc(), "Furniture").unwrap_err().to_string();
        let expected = "VOC 2012: no type or class `Furniture`, expected one of: \
                        Vehicles, Animals, Household, Person, aeroplane, ";
        assert!(error.starts_with(expected), "{error}");
        let error = type_classes(&voc(), "cat;unicorn;dog").unwrap_err().to_string();
        assert!(error.starts_with("VOC 2012: no type or class `unicorn`"), "{error}");
        assert!(type_classes(&voc(), "cat;").is_err());
    }
}
