//! Lets symbols of Python be found when the package is imported, on macOS too.

fn main() {
    pyo3_build_config::add_extension_module_link_args();
}
