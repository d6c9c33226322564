//! What is wrong with a payload, as a problem.

use catalogue::PayloadFault;

use super::{Code, Fault, Problem};

const REPEATED: &str = "is named more than once in its object";

impl From<PayloadFault> for Problem {
    fn from(fault: PayloadFault) -> Self {
        let sentence = fault.to_string();
        match fault {
            PayloadFault::InvalidJson { .. } => {
                Self::new(Code::InvalidJson, format!("the payload is not JSON: {sentence}"))
            }
            PayloadFault::NotAnObject { .. } => Self::new(Code::NotAnObject, sentence),
            PayloadFault::DuplicateKey { pointers } => {
                Self::new(Code::DuplicateKey, sentence).with_errors(pointed(pointers, REPEATED))
            }
            PayloadFault::MissingType => {
                let errors = vec![Fault { pointer: "/type".into(), detail: "is required".into() }];
                Self::new(Code::UnknownType, "the payload has no `type`: name its event type there")
                    .with_errors(errors)
            }
            PayloadFault::UnknownType { .. } => {
                let errors = vec![Fault { pointer: "/type".into(), detail: sentence.clone() }];
                Self::new(Code::UnknownType, sentence).with_errors(errors)
            }
            PayloadFault::InvalidPayload { errors } => {
                let errors: Vec<Fault> = errors.into_iter().map(Fault::from).collect();
                Self::new(Code::InvalidPayload, super::sentence(&errors)).with_errors(errors)
            }
        }
    }
}

impl From<catalogue::Fault> for Fault {
    fn from(fault: catalogue::Fault) -> Self {
        Self { pointer: fault.pointer, detail: fault.detail }
    }
}

/// The same sentence for several places.
pub(crate) fn pointed(pointers: Vec<String>, detail: &str) -> Vec<Fault> {
    pointers.into_iter().map(|pointer| Fault { pointer, detail: detail.to_owned() }).collect()
}
