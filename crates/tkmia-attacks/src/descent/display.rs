//! What records call a descent's hyper-parameters.

use std::fmt;

use super::settings::{
    AdamwSteps, Descent, MOMENTUM, MiFgsmSteps, Optimiser, PenalisedSgd, PgdSteps, Shrinking,
};

impl fmt::Display for PenalisedSgd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { lr, alpha, momentum, bisections } = self;
        write!(f, "lr {lr}, alpha {alpha}, momentum {momentum}")?;
        bisections.map_or(Ok(()), |looks| write!(f, ", bisections {looks}"))
    }
}

impl fmt::Display for PgdSteps {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.ball)?;
        self.step.map_or(Ok(()), |step| write!(f, ", step {step}"))
    }
}

impl fmt::Display for MiFgsmSteps {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.steps)?;
        if self.momentum == MOMENTUM { Ok(()) } else { write!(f, ", momentum {}", self.momentum) }
    }
}

impl fmt::Display for Shrinking {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "gamma {}", self.gamma)?;
        self.step.map_or(Ok(()), |step| write!(f, ", step {step}"))
    }
}

impl fmt::Display for AdamwSteps {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "weight {}", self.weight)?;
        self.step.map_or(Ok(()), |step| write!(f, ", step {step}"))
    }
}

impl fmt::Display for Descent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.optimiser {
            Optimiser::Sgd(sgd) => write!(f, "{sgd}")?,
            Optimiser::Pgd(steps) => write!(f, "{steps}")?,
            Optimiser::MiFgsm(steps) => write!(f, "{steps}")?,
            Optimiser::AutoPgd(ball) => write!(f, "{ball}")?,
            Optimiser::Adamw(steps) => write!(f, "{steps}")?,
            Optimiser::Ddn(steps) | Optimiser::Fmn(steps) => write!(f, "{steps}")?,
        }
        self.aims_at().map_or(Ok(()), |target| write!(f, ", target {target}"))?;
        self.lambda.map_or(Ok(()), |lambda| write!(f, ", lambda {lambda}"))
    }
}
