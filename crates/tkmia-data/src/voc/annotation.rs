//! The objects in a VOC annotation.

use std::path::Path;

use quick_xml::Reader;
use quick_xml::errors::{Error, IllFormedError};
use quick_xml::events::{BytesStart, Event};

use crate::DataError;

/// One annotated object, as far as classification cares.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Object {
    /// Its class.
    pub name: String,
    /// Whether the annotators thought it too hard to recognise to count.
    pub difficult: bool,
}

/// The objects of an annotation, in its order; the path only serves the errors.
pub(super) fn parse(xml: &str, path: &Path) -> Result<Vec<Object>, DataError> {
    let mut reader = Reader::from_str(xml);
    reader.config_mut().expand_empty_elements = true;
    Annotation { reader, path }.objects()
}

struct Annotation<'a> {
    reader: Reader<&'a [u8]>,
    path: &'a Path,
}

impl<'a> Annotation<'a> {
    fn objects(mut self) -> Result<Vec<Object>, DataError> {
        let root = self.next_child("annotation")?;
        match root {
            Some(tag) if tag.name().as_ref() == "annotation" => {}
            other => {
                let found = other.map_or("none".into(), |tag| format!("<{}>", tag.name().as_ref()));
                return Err(self.unexpected("root element", "<annotation>", found));
            }
        }
        let mut objects = Vec::new();
        while let Some(child) = self.next_child("annotation")? {
            match child.name().as_ref() {
                "object" => objects.push(self.object()?),
                _ => self.skip(&child)?,
            }
        }
        Ok(objects)
    }

    /// Reads on to the end of an object. Its parts (head, hand, foot) have names too, which are
    /// skipped with them.
    fn object(&mut self) -> Result<Object, DataError> {
        let mut name = None;
        let mut difficult = false;
        while let Some(child) = self.next_child("object")? {
            match child.name().as_ref() {
                "name" => name = Some(self.text(&child)?),
                "difficult" => {
                    difficult = match self.text(&child)?.as_str() {
                        "0" => false,
                        "1" => true,
                        other => {
                            return Err(self.unexpected(
                                "object/difficult",
                                "0 or 1",
                                format!("`{other}`"),
                            ));
                        }
                    }
                }
                _ => self.skip(&child)?,
            }
        }
        let name = name
            .ok_or_else(|| self.unexpected("object/name", "a class", "no such element".into()))?;
        Ok(Object { name, difficult })
    }

    /// The start of the next element within `parent`, or `None` at `parent`'s end.
    fn next_child(&mut self, parent: &str) -> Result<Option<BytesStart<'a>>, DataError> {
        loop {
            match self.reader.read_event() {
                Ok(Event::Start(tag)) => return Ok(Some(tag)),
                Ok(Event::End(_)) => return Ok(None),
                Ok(Event::Eof) => return Err(self.truncated(parent)),
                Ok(_) => {}
                Err(source) => return Err(self.malformed(source)),
            }
        }
    }

    fn text(&mut self, element: &BytesStart) -> Result<String, DataError> {
        let text = self.reader.read_text(element.name());
        Ok(text.map_err(|source| self.malformed(source))?.trim().to_owned())
    }

    fn skip(&mut self, element: &BytesStart) -> Result<(), DataError> {
        let span = self.reader.read_to_end(element.name());
        span.map(drop).map_err(|source| self.malformed(source))
    }

    fn malformed(&self, source: Error) -> DataError {
        match source {
            Error::IllFormed(IllFormedError::MissingEndTag(element)) => self.truncated(&element),
            source => {
                let position = self.reader.error_position();
                DataError::Xml { path: self.path.into(), position, source }
            }
        }
    }

    fn truncated(&self, element: &str) -> DataError {
        DataError::TruncatedXml { path: self.path.into(), missing: format!("</{element}>") }
    }

    fn unexpected(&self, field: &'static str, expected: &'static str, found: String) -> DataError {
        DataError::Annotation { path: self.path.into(), field, expected, found }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// In the manner of VOC 2012: a person with parts and actions, other elements between objects.
    const PERSON_AND_DOG: &str = "\
<annotation>
  <folder>VOC2012</folder>
  <filename>2011_000003.jpg</filename>
  <source><database>The VOC2011 Database</database><image>flickr</image></source>
  <size><width>500</width><height>375</height><depth>3</depth></size>
  <object>
    <part><name>head</name><bndbox><xmin>191.2</xmin></bndbox></part>
    <name>person</name>
    <actions><jumping>0</jumping><other>1</other></actions>
    <difficult>0</difficult>
    <part><name>foot</name><difficult>1</difficult></part>
  </object>
  <segmented>0</segmented>
  <object><name> dog </name><difficult>1</difficult></object>
  <object><name>chair</name></object>
</annotation>
";

    fn read(xml: &str) -> Result<Vec<Object>, DataError> {
        parse(xml, Path::new("a.xml"))
    }

    fn message(xml: &str) -> String {
        read(xml).unwrap_err().to_string()
    }

    #[test]
    fn parts_do_not_rename_their_object_and_a_missing_difficult_is_0() {
        let object = |name: &str, difficult| Object { name: name.into(), difficult };
        let expected = [object("person", false), object("dog", true), object("chair", false)];
        assert_eq!(read(PERSON_AND_DOG).unwrap(), expected);
    }

    #[test]
    fn an_annotation_without_objects_is_fine() {
        assert_eq!(read("<?xml version=\"1.0\"?><annotation/>").unwrap(), []);
    }

    #[test]
    fn an_annotation_cut_short_anywhere_is_an_error() {
        for length in 0..PERSON_AND_DOG.trim_end().len() {
            assert!(read(&PERSON_AND_DOG[..length]).is_err(), "cut to {length} bytes");
        }
        let cut = |at| message(&PERSON_AND_DOG[..PERSON_AND_DOG.find(at).unwrap()]);
        assert_eq!(cut("</object>"), "`a.xml`: the annotation ends before `</object>`");
        assert_eq!(cut("</part>"), "`a.xml`: the annotation ends before `</part>`");
        assert_eq!(cut("person"), "`a.xml`: the annotation ends before `</name>`");
        assert_eq!(message(""), "`a.xml`: the annotation ends before `</annotation>`");
    }

    #[test]
    fn what_is_not_an_annotation_is_named() {
        assert_eq!(
            message("<html></html>"),
            "`a.xml`: root element: expected <annotation>, found <html>"
        );
        assert_eq!(
            message("<annotation><object><pose>Left</pose></object></annotation>"),
            "`a.xml`: object/name: expected a class, found no such element"
        );
        assert_eq!(
            message("<annotation><object><difficult>yes</difficult></object></annotation>"),
            "`a.xml`: object/difficult: expected 0 or 1, found `yes`"
        );
        let crossed = read("<annotation><object></annotation></object>").unwrap_err();
        assert!(matches!(crossed, DataError::Xml { position: 20, .. }), "{crossed:?}");
    }
}
