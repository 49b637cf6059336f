//! [`device`]: a compute device by its name, chosen at run time.

use burn::tensor::Device;

use crate::CoreError;

/// The names of the devices whose backends are compiled in.
pub const AVAILABLE: &[&str] = &[
    #[cfg(feature = "flex")]
    "cpu",
    #[cfg(feature = "ndarray")]
    "ndarray",
    #[cfg(feature = "cuda")]
    "cuda:N",
    #[cfg(feature = "wgpu")]
    "wgpu",
];

/// The device of that name: `cpu`, `ndarray`, `cuda` (the same as `cuda:0`), `cuda:N` or `wgpu`.
///
/// A GPU is tried with one small computation, so that a missing driver shows here and not in the
/// middle of a run.
///
/// # Errors
/// - [`CoreError::UnknownDevice`] for any other name
/// - [`CoreError::DeviceNotCompiledIn`] if the cargo feature of its backend is off
/// - [`CoreError::DeviceAbsent`] if the hardware or its driver isn't there
///
/// # Example
///
/// ```
/// use tkmia_core::{CoreError, device};
///
/// assert!(device("cpu").is_ok());
/// assert!(matches!(device("tpu"), Err(CoreError::UnknownDevice { .. })));
/// ```
pub fn device(name: &str) -> Result<Device, CoreError> {
    match name {
        #[cfg(feature = "flex")]
        "cpu" => Ok(Device::flex()),
        #[cfg(not(feature = "flex"))]
        "cpu" => Err(not_compiled_in(name, "flex")),
        #[cfg(feature = "ndarray")]
        #[expect(deprecated, reason = "kept as a second opinion while Burn ships it")]
        "ndarray" => Ok(Device::ndarray()),
        #[cfg(not(feature = "ndarray"))]
        "ndarray" => Err(not_compiled_in(name, "ndarray")),
        #[cfg(feature = "wgpu")]
        "wgpu" => tried(name, || Device::wgpu(burn::tensor::DeviceKind::DefaultDevice)),
        #[cfg(not(feature = "wgpu"))]
        "wgpu" => Err(not_compiled_in(name, "wgpu")),
        _ => cuda(name),
    }
}

/// Each device that there might be, by the name that [`device`] takes: the CPU, each CUDA device or, without any, the
/// first one's fault, and WebGPU's.
pub fn devices() -> Vec<(String, Result<Device, CoreError>)> {
    let found = |name: &str| (name.to_owned(), device(name));
    let mut all = vec![found("cpu")];
    if cfg!(feature = "ndarray") {
        all.push(found("ndarray"));
    }
    for index in 0.. {
        let cuda = found(&format!("cuda:{index}"));
        let is_there = cuda.1.is_ok();
        if is_there || index == 0 {
            all.push(cuda);
        }
        if !is_there {
            break;
        }
    }
    all.push(found("wgpu"));
    all
}

fn cuda(name: &str) -> Result<Device, CoreError> {
    let index = match name.strip_prefix("cuda") {
        Some("") => Some(0),
        Some(index) => index.strip_prefix(':').and_then(|digits| digits.parse::<usize>().ok()),
        None => None,
    };
    let Some(index) = index else {
        return Err(CoreError::UnknownDevice { name: name.to_owned() });
    };
    #[cfg(feature = "cuda")]
    return tried(name, || Device::cuda(index));
    #[cfg(not(feature = "cuda"))]
    {
        let _ = index;
        Err(not_compiled_in(name, "cuda"))
    }
}

#[cfg(not(all(feature = "flex", feature = "ndarray", feature = "cuda", feature = "wgpu")))]
fn not_compiled_in(name: &str, feature: &'static str) -> CoreError {
    CoreError::DeviceNotCompiledIn {
        name: name.to_owned(),
        feature,
        available: AVAILABLE.join(", "),
    }
}

/// Makes a device and computes one sum on it. Burn's GPU backends panic where the driver or the
/// adapter is missing, some of them only at the first computation.
#[cfg(any(feature = "cuda", feature = "wgpu"))]
fn tried(name: &str, make: impl FnOnce() -> Device) -> Result<Device, CoreError> {
    use std::panic;

    let hook = panic::take_hook();
    panic::set_hook(Box::new(|_| {}));
    let attempt = panic::catch_unwind(panic::AssertUnwindSafe(|| {
        let device = make();
        let sum = burn::tensor::Tensor::<1>::ones([2], &device).sum().into_scalar::<f32>();
        (device, sum)
    }));
    panic::set_hook(hook);
    let reason = match attempt {
        Ok((device, 2.0)) => return Ok(device),
        Ok((_, sum)) => format!("it computes 1 + 1 = {sum}"),
        Err(panic) => panic
            .downcast_ref::<String>()
            .cloned()
            .or_else(|| panic.downcast_ref::<&str>().map(|&text| text.to_owned()))
            .unwrap_or_else(|| "its backend failed without a message".to_owned()),
    };
    Err(CoreError::DeviceAbsent { name: name.to_owned(), reason })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_device_says_whether_it_is_there() {
        let names: Vec<String> = devices().into_iter().map(|(name, _)| name).collect();
        assert_eq!(names.first().unwrap(), "cpu");
        assert!(names.contains(&"cuda:0".to_owned()) && names.contains(&"wgpu".to_owned()));
        for (name, found) in devices() {
            assert_eq!(found.is_ok(), device(&name).is_ok(), "{name}");
        }
    }

    #[test]
    fn a_backend_left_out_is_named_with_its_feature() {
        #[cfg(not(feature = "cuda"))]
        {
            let error = device("cuda:1").unwrap_err().to_string();
            assert!(error.contains("`cuda:1`") && error.contains("--features cuda"), "{error}");
        }
        for name in ["", "gpu", "cuda:", "cuda:x", "cuda1", "CPU"] {
            assert!(matches!(device(name), Err(CoreError::UnknownDevice { .. })), "{name}");
        }
    }
}
