//! [`KnobFlags`] and [`TaggerFlags`]: a flag for each knob of the attacks, and for each field of a tagger's description, as
//! these describe them.

use clap::builder::{PossibleValue, PossibleValuesParser};
use clap::error::ErrorKind;
use clap::parser::ValueSource;
use clap::{Arg, ArgAction, ArgMatches, Args, Command, FromArgMatches, value_parser};
use serde_json::{Map, Value, json};
use tkmia_attacks::{Knobs, all_knobs};
use tkmia_core::{Knob, KnobKind, Tagger, described};

/// The knobs that were given, and no others.
#[derive(Debug)]
pub struct KnobFlags(pub Knobs);

impl Args for KnobFlags {
    fn augment_args(command: Command) -> Command {
        all_knobs().into_iter().fold(command, |command, knob| command.arg(flag(knob)))
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

impl FromArgMatches for KnobFlags {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        let mut flags = Self(Knobs::new());
        flags.update_from_arg_matches(matches)?;
        Ok(flags)
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        for knob in all_knobs() {
            let Some(value) = given(matches, &knob) else { continue };
            // In files the method is called by its name.
            let key = if knob.name == "method" { "name".to_owned() } else { knob.name };
            self.0.insert(key, value);
        }
        Ok(())
    }
}

/// How a network sees images, as far as that is given.
#[derive(Debug, Clone, Default)]
pub struct TaggerFlags(pub Tagger);

/// The names of thousands of labels are for files.
fn tagger_knobs() -> impl Iterator<Item = Knob> {
    described::<Tagger>().into_iter().filter(|knob| knob.name != "labels")
}

impl Args for TaggerFlags {
    fn augment_args(command: Command) -> Command {
        let heading = |knob| flag(knob).help_heading("What the network's file doesn't say");
        tagger_knobs().fold(command, |command, knob| command.arg(heading(knob)))
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

impl FromArgMatches for TaggerFlags {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        let mut flags = Self::default();
        flags.update_from_arg_matches(matches)?;
        Ok(flags)
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        let all =
            tagger_knobs().filter_map(|knob| Some((knob.name.clone(), given(matches, &knob)?)));
        let tagger = serde_json::from_value::<Tagger>(Value::Object(all.collect::<Map<_, _>>()));
        let tagger = tagger.map_err(|error| error.to_string());
        let refused = |error| clap::Error::raw(ErrorKind::ValueValidation, format!("{error}\n"));
        self.0 = tagger
            .and_then(|tagger| tagger.check().map(|()| tagger).map_err(|error| error.to_string()))
            .map_err(refused)?;
        Ok(())
    }
}

/// The value that is given on the command line.
fn given(matches: &ArgMatches, Knob { name, kind, .. }: &Knob) -> Option<Value> {
    if matches.value_source(name) != Some(ValueSource::CommandLine) {
        return None;
    }
    match kind {
        KnobKind::Number => matches.get_one::<f64>(name).map(|&number| number.into()),
        KnobKind::Count => matches.get_one::<u32>(name).map(|&count| count.into()),
        KnobKind::Switch => matches.get_one::<bool>(name).map(|&switch| switch.into()),
        KnobKind::List => {
            matches.get_many::<f64>(name).map(|numbers| json!(numbers.collect::<Vec<_>>()))
        }
        KnobKind::Text | KnobKind::Name(_) => {
            matches.get_one::<String>(name).map(|text| text.clone().into())
        }
    }
}

/// Knobs that bound the work.
const BUDGET: [&str; 4] = ["max-iterations", "max-forward", "max-backward", "rounds"];
/// What is attacked, and by which attack.
const WHAT: [&str; 3] = ["method", "variant", "target"];

fn flag(Knob { name, help, kind, default }: Knob) -> Arg {
    let help = match default {
        Some(default) => format!("{help} [default: {default}]"),
        None => help,
    };
    let heading = match name.as_str() {
        name if BUDGET.contains(&name) => Some("Budget"),
        name if WHAT.contains(&name) => None,
        _ => Some("Steps"),
    };
    let arg = Arg::new(name.clone()).long(name).help(help).help_heading(heading);
    match kind {
        KnobKind::Number => arg.value_parser(value_parser!(f64)).allow_negative_numbers(true),
        KnobKind::Count => arg.value_parser(value_parser!(u32)).allow_negative_numbers(true),
        KnobKind::List => {
            let numbers = arg.value_parser(value_parser!(f64)).value_delimiter(',');
            numbers.value_name("R,G,B").allow_hyphen_values(true)
        }
        KnobKind::Text => arg.allow_hyphen_values(true),
        KnobKind::Switch => arg.action(ArgAction::SetTrue),
        KnobKind::Name(names) => {
            let names = names.into_iter().map(|(name, help)| PossibleValue::new(name).help(help));
            arg.value_parser(PossibleValuesParser::new(names))
        }
    }
}
