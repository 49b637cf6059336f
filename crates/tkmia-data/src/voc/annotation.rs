//! The objects in a VOC annotation.

use std::path::Path;

use quick_xml::Reader;
use quick_xml::errors::{Error, IllFormedError};
use quick_xml::escape::resolve_xml_entity;
use quick_xml::events::{BytesRef, BytesStart, Event};
use tkmia_file::{decode, read};

use crate::DataError;

/// One annotated object, as far as classification cares.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Object {
    /// Its class.
    pub name: String,
    /// Whether the annotators thought it too hard to recognise to count.
    pub difficult: bool,
}

/// The objects of an annotation's file, in its order. Its encoding is what it declares, where a byte-order mark
/// doesn't say otherwise.
pub(super) fn objects(path: &Path) -> Result<Vec<Object>, DataError> {
    let text = read(path).and_then(|bytes| {
        let declared = match Reader::from_reader(&*bytes).read_event() {
            Ok(Event::Decl(declaration)) => declaration.encoder(),
            _ => None,
        };
        decode(&bytes, declared)
    });
    parse(&text.map_err(DataError::read(path, "the image's annotation"))?, path)
}

/// The objects of an annotation; the path only serves the errors.
fn parse(xml: &str, path: &Path) -> Result<Vec<Object>, DataError> {
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

    /// The text up to the end of an element: character data and references, without comments.
    fn text(&mut self, element: &BytesStart) -> Result<String, DataError> {
        let (name, mut text) = (element.name().as_ref().to_owned(), String::new());
        loop {
            match self.reader.read_event() {
                Ok(Event::Text(part)) => text += &part,
                Ok(Event::CData(part)) => text += &part,
                Ok(Event::GeneralRef(reference)) => text += &self.resolved(&reference)?,
                Ok(Event::Comment(_) | Event::PI(_)) => {}
                Ok(Event::End(_)) => return Ok(text.trim().to_owned()),
                Ok(Event::Eof) => return Err(self.truncated(&name)),
                Ok(_) => {
                    return Err(self.unexpected(
                        "object",
                        "text in an element",
                        format!("markup within <{name}>"),
                    ));
                }
                Err(source) => return Err(self.malformed(source)),
            }
        }
    }

    /// What a reference stands for: a character, or one of XML's own entities.
    fn resolved(&self, reference: &BytesRef) -> Result<String, DataError> {
        let character = reference.resolve_char_ref().map_err(|source| self.malformed(source))?;
        let entity = resolve_xml_entity(reference).map(str::to_owned);
        character.map(String::from).or(entity).ok_or_else(|| {
            self.unexpected(
                "object",
                "a character or an entity of XML's own",
                format!("`&{};`", &**reference),
            )
        })
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

    /// An annotation of one object of that name, as XML.
    fn named(name: &str) -> String {
        format!("<annotation><object><name>{name}</name></object></annotation>")
    }

    #[test]
    fn text_is_read_in_every_way_that_xml_has_to_write_it() {
        for name in [
            "<![CDATA[dog]]>",
            " <![CDATA[do]]>g\n",
            "&#100;o&#x67;",
            "d<!-- & -->og<?p i?>",
            "do<![CDATA[]]>g",
        ] {
            assert_eq!(read(&named(name)).unwrap()[0].name, "dog", "{name}");
        }
        assert_eq!(
            read(&named("a &amp; b&lt;<![CDATA[&amp;<]]>")).unwrap()[0].name,
            "a & b<&amp;<"
        );
        let subset = "<!DOCTYPE annotation [<!ELEMENT name (#PCDATA)> <!-- ]> -->]>";
        assert_eq!(read(&format!("{subset}{}", named("dog"))).unwrap()[0].name, "dog");
        assert_eq!(
            message(&named("&dog;")),
            "a.xml: object: expected a character or an entity of XML's own, found `&dog;`"
        );
        assert_eq!(
            message(&named("<b>dog</b>")),
            "a.xml: object: expected text in an element, found markup within <name>"
        );
        assert!(matches!(read(&named("&#x110000;")), Err(DataError::Xml { .. })));
    }

    #[test]
    fn the_encoding_is_what_the_file_says() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let names = |bytes: Vec<u8>| {
            std::fs::write(&file, bytes).unwrap();
            objects(file.path()).map(|objects| objects[0].name.clone())
        };
        let declared =
            |encoding: &str| format!("<?xml version='1.0' encoding='{encoding}'?>{}", named("chî"));
        let latin_1: fn(&str) -> Vec<u8> = |text| text.chars().map(|c| c as u8).collect();
        let utf_16 =
            |text: &str| text.encode_utf16().flat_map(u16::to_be_bytes).collect::<Vec<u8>>();
        for bytes in [
            declared("UTF-8").into_bytes(),
            latin_1(&declared("ISO-8859-1")),
            latin_1(&declared("windows-1252")),
            utf_16(&declared("UTF-16")),
            utf_16(&format!("\u{feff}{}", named("chî"))),
            format!("\u{feff}{}", declared("utf-8")).into_bytes(),
            // Some writers declare UTF-16 and write UTF-8.
            declared("utf-16").into_bytes(),
        ] {
            assert_eq!(names(bytes).unwrap(), "chî");
        }
        let undeclared = names(latin_1(&named("chî"))).unwrap_err();
        assert!(
            matches!(&undeclared, DataError::Read { source, .. } if source.to_string().contains("UTF-8"))
        );
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
        assert_eq!(cut("</object>"), "a.xml: the annotation ends before `</object>`");
        assert_eq!(cut("</part>"), "a.xml: the annotation ends before `</part>`");
        assert_eq!(cut("person"), "a.xml: the annotation ends before `</name>`");
        assert_eq!(message(""), "a.xml: the annotation ends before `</annotation>`");
    }

    #[test]
    fn what_is_not_an_annotation_is_named() {
        assert_eq!(
            message("<html></html>"),
            "a.xml: root element: expected <annotation>, found <html>"
        );
        assert_eq!(
            message("<annotation><object><pose>Left</pose></object></annotation>"),
            "a.xml: object/name: expected a class, found no such element"
        );
        assert_eq!(
            message("<annotation><object><difficult>yes</difficult></object></annotation>"),
            "a.xml: object/difficult: expected 0 or 1, found `yes`"
        );
        let crossed = read("<annotation><object></annotation></object>").unwrap_err();
        assert!(matches!(crossed, DataError::Xml { position: 20, .. }), "{crossed:?}");
    }
}
