//! What records call a descent's hyper-parameters.

use std::fmt;

use super::settings::{
    AutoPgdSteps, Descent, MOMENTUM, MiFgsmSteps, Optimiser, PenalisedSgd, PgdSteps,
};

impl fmt::Display for PenalisedSgd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { lr, alpha, momentum } = self;
        write!(f, "lr {lr}, alpha {alpha}, momentum {momentum}")
    }
}

impl fmt::Display for Descent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let length = |f: &mut fmt::Formatter<'_>, step: Option<f64>| {
            step.map_or(Ok(()), |step| write!(f, ", step {step}"))
        };
        match &self.optimiser {
            Optimiser::Sgd(sgd) => write!(f, "{sgd}")?,
            Optimiser::Pgd(PgdSteps { ball, step }) => {
                write!(f, "{ball}")?;
                length(f, *step)?;
            }
            Optimiser::MiFgsm(MiFgsmSteps { ball, step, momentum }) => {
                write!(f, "{ball}")?;
                length(f, *step)?;
                if *momentum != MOMENTUM {
                    write!(f, ", momentum {momentum}")?;
                }
            }
            Optimiser::AutoPgd(AutoPgdSteps { ball }) => write!(f, "{ball}")?,
        }
        self.aims_at().map_or(Ok(()), |target| write!(f, ", target {target}"))?;
        self.lambda.map_or(Ok(()), |lambda| write!(f, ", lambda {lambda}"))
    }
}
