//! [`KnobFlags`]: a flag for each knob of the attacks, as the attacks describe them.

use clap::builder::{PossibleValue, PossibleValuesParser, ValueParser};
use clap::parser::ValueSource;
use clap::{Arg, ArgMatches, Args, Command, FromArgMatches, value_parser};
use serde_json::Value;
use tkmia_attacks::{Knob, KnobKind, Knobs, all_knobs};

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
        for Knob { name, kind, .. } in all_knobs() {
            if matches.value_source(&name) != Some(ValueSource::CommandLine) {
                continue;
            }
            let value = match kind {
                KnobKind::Number => matches.get_one::<f64>(&name).map(|&number| number.into()),
                KnobKind::Count => matches.get_one::<u32>(&name).map(|&count| count.into()),
                KnobKind::Name(_) => {
                    matches.get_one::<String>(&name).map(|text| text.clone().into())
                }
            };
            // In files the method is called by its name.
            let key = if name == "method" { "name".to_owned() } else { name };
            self.0.insert(key, value.unwrap_or(Value::Null));
        }
        Ok(())
    }
}

/// Knobs that bound the work.
const BUDGET: [&str; 4] = ["max-iterations", "max-forward", "max-backward", "rounds"];
/// What is attacked, and by which attack.
const WHAT: [&str; 3] = ["method", "variant", "target"];

fn flag(Knob { name, help, kind, default }: Knob) -> Arg {
    let values: ValueParser = match kind {
        KnobKind::Number => value_parser!(f64).into(),
        KnobKind::Count => value_parser!(u32).into(),
        KnobKind::Name(names) => {
            let names = names.into_iter().map(|(name, help)| PossibleValue::new(name).help(help));
            PossibleValuesParser::new(names).into()
        }
    };
    let help = match default {
        Some(default) => format!("{help} [default: {default}]"),
        None => help,
    };
    let heading = match name.as_str() {
        name if BUDGET.contains(&name) => Some("Budget"),
        name if WHAT.contains(&name) => None,
        _ => Some("Steps"),
    };
    let arg = Arg::new(name.clone()).long(name).help(help).value_parser(values);
    arg.help_heading(heading).allow_negative_numbers(true)
}
