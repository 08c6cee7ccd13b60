//! Allocators: that what brings them is there, built in, preloaded or tuned.

use super::Allocator;
use crate::scenario::check::Check;
use crate::scenario::{Program, Scenario};

/// The variable by which libraries are preloaded.
const PRELOAD: &str = "LD_PRELOAD";

impl Check<'_> {
    pub(in crate::scenario) fn allocators(&mut self, scenario: &Scenario) {
        for (name, allocator) in &scenario.allocators {
            if !allocator.features.is_empty() && matches!(scenario.service.program, Program::Command(_)) {
                self.error(
                    &format!("allocators.{name}.features"),
                    "a command has no cargo features",
                    "preload its library, or tune its allocator with env",
                );
            }
            if let Some(verify) = &allocator.verify {
                self.verify(&format!("allocators.{name}.verify"), verify);
            }
            for (variable, value) in &allocator.env {
                self.switched_text(&format!("allocators.{name}.env.{variable}"), value, scenario, None);
            }
            self.preload(name, allocator, scenario);
        }
    }

    fn preload(&mut self, name: &str, allocator: &Allocator, scenario: &Scenario) {
        let Some(library) = &allocator.preload else { return };
        let path = format!("allocators.{name}.preload");
        // ld.so(8): "the items of the list can be separated by spaces or colons, and there is no support for escaping".
        if library.is_empty() || library.contains([' ', ':']) {
            self.error(&path, format!("{library:?} cannot be preloaded"), "preload = \"libjemalloc.so.2\"");
        }
        if allocator.env.contains_key(PRELOAD) || scenario.service.env.contains_key(PRELOAD) {
            let help = "take the variable out and name the library here, so that it is verified";
            self.error(&path, format!("\"preload\" and the variable {PRELOAD} exclude each other"), help);
        }
    }

    pub(in crate::scenario) fn allocator_exists(&mut self, path: &str, name: &str, scenario: &Scenario) {
        if !scenario.allocators.contains_key(name) {
            let help =
                format!("add [allocators.{name}] with its cargo features or the library to preload, or use \"system\"");
            self.error(path, format!("nothing says how to have the allocator \"{name}\""), help);
        }
    }
}
