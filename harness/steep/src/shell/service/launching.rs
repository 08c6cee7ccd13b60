//! Turns what a scenario says of a process into a launch: templates filled in, files rendered, paths made whole.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use super::CellPlace;
use super::failure::{ServiceError, Who};
use super::names::Names;
use crate::shell::files::{self, LARGEST_TEXT};
use crate::shell::loopback::Endpoint;
use crate::shell::process::Launch;
use crate::shell::service::ready::Question;
use steep_core::scenario::config::Patch;
use steep_core::scenario::{Dependency, Program, ReadyCheck, RenderedFile, Service};
use steep_core::template::Template;

/// One process of a cell, and the names that its templates may use.
#[derive(Debug)]
pub struct Preparation<'a> {
    /// Whose.
    pub who: Who,
    /// The cell.
    pub place: &'a CellPlace<'a>,
    /// The names.
    pub names: Names,
}

impl Preparation<'_> {
    /// The launch of the service, with what the cell adds to it.
    ///
    /// # Errors
    /// An unknown name, or a file that cannot be read or written.
    pub fn service(&self, service: &Service) -> Result<Launch, ServiceError> {
        self.render_files(&service.files, self.place.patches)?;
        let (program, mut args) = match (&service.program, self.place.binary) {
            (Program::Package(_), Some(binary)) => (binary.to_owned(), Vec::new()),
            (Program::Package(_), None) => return Err(ServiceError::NoProgram { who: self.who.clone() }),
            (Program::Command(words), _) => self.command("command", words)?,
        };
        args.extend(self.fill_all("args", &service.args)?);
        for text in self.place.args {
            args.push(self.fill_text("flags and axes", text)?);
        }
        let mut env = self.env(&service.env)?;
        for (name, value) in self.place.env {
            let value = value.as_ref().map(|text| self.fill_text("flags and axes", text)).transpose()?;
            env.insert(name.clone(), value);
        }
        let memory_limit = service.memory_limit_bytes.filter(|_| service.enforce_limit);
        Ok(Launch { program, args, env, cpus: service.cpus.clone(), memory_limit, ..self.nothing() })
    }

    /// The launch of a dependency.
    ///
    /// # Errors
    /// As of the service.
    pub fn dependency(&self, dependency: &Dependency) -> Result<Launch, ServiceError> {
        self.render_files(&dependency.files, &[])?;
        let (program, args) = self.command("command", &dependency.command)?;
        Ok(Launch { program, args, env: self.env(&dependency.env)?, ..self.nothing() })
    }

    /// The launch of the command before a cell.
    ///
    /// # Errors
    /// An unknown name.
    pub fn before_cell(&self, dependency: &Dependency) -> Result<Launch, ServiceError> {
        let (program, args) = self.command("before_cell", &dependency.before_cell)?;
        Ok(Launch { program, args, env: self.env(&dependency.env)?, ..self.nothing() })
    }

    /// The launch of the program that makes the load.
    ///
    /// # Errors
    /// An unknown name.
    pub fn load(&self, command: &[Template], cpus: &[usize]) -> Result<Launch, ServiceError> {
        let (program, args) = self.command("load.command", command)?;
        Ok(Launch { program, args, cpus: cpus.to_vec(), ..self.nothing() })
    }

    /// What is asked to see whether it is ready; `base` is the address of its HTTP paths.
    ///
    /// # Errors
    /// An unknown name, an address of another host.
    pub async fn question(&self, check: &ReadyCheck, base: &Endpoint) -> Result<Question, ServiceError> {
        Ok(match check {
            ReadyCheck::Path(path) => Question { endpoint: base.clone(), path: Some(path.clone()) },
            ReadyCheck::Tcp(address) => {
                Question { endpoint: self.endpoint(&self.fill("ready.tcp", address)?).await?, path: None }
            }
        })
    }

    /// Where a filled-in address leads.
    ///
    /// # Errors
    /// To another host, or nowhere.
    pub async fn endpoint(&self, address: &str) -> Result<Endpoint, ServiceError> {
        let endpoint = Endpoint::resolve(address).await;
        endpoint.map_err(|source| ServiceError::Address { who: self.who.clone(), source })
    }

    /// `template` with its names filled in; `key` is where it stands.
    ///
    /// # Errors
    /// An unknown name.
    pub fn fill(&self, key: &str, template: &Template) -> Result<String, ServiceError> {
        self.names.fill(template).map_err(|source| ServiceError::Name {
            who: self.who.clone(),
            place: key.to_owned(),
            source,
            known: self.names.known(),
        })
    }

    /// The same of a text that is none of the scenario's templates: what cannot be one is taken as it is.
    fn fill_text(&self, key: &str, text: &str) -> Result<String, ServiceError> {
        Template::parse(text).map_or_else(|_| Ok(text.to_owned()), |template| self.fill(key, &template))
    }

    /// Where its output goes.
    #[must_use]
    pub fn log(&self) -> PathBuf {
        self.place.cell_folder.join(self.who.log_name())
    }

    /// All run in the folder of the scenario, so that relative paths in arguments mean what they mean in the scenario.
    fn nothing(&self) -> Launch {
        Launch {
            program: PathBuf::new(),
            args: Vec::new(),
            env: BTreeMap::new(),
            folder: self.place.scenario_folder.to_owned(),
            cpus: Vec::new(),
            memory_limit: None,
            log: self.log(),
        }
    }

    fn command(&self, key: &str, words: &[Template]) -> Result<(PathBuf, Vec<String>), ServiceError> {
        let mut words = self.fill_all(key, words)?.into_iter();
        let program = words.next().ok_or_else(|| ServiceError::NoProgram { who: self.who.clone() })?;
        Ok((program_path(&program, self.place.scenario_folder), words.collect()))
    }

    fn fill_all(&self, key: &str, templates: &[Template]) -> Result<Vec<String>, ServiceError> {
        templates.iter().map(|template| self.fill(key, template)).collect()
    }

    fn env(&self, env: &BTreeMap<String, Template>) -> Result<BTreeMap<String, Option<String>>, ServiceError> {
        env.iter().map(|(name, value)| Ok((name.clone(), Some(self.fill(&format!("env.{name}"), value)?)))).collect()
    }

    /// A relative `from` is below the scenario's folder, a relative `to` below the cell's.
    fn render_files(&self, files: &[RenderedFile], patches: &[Patch]) -> Result<(), ServiceError> {
        for file in files {
            let from = self.place.scenario_folder.join(&file.from);
            let to = self.place.cell_folder.join(self.fill("files.to", &file.to)?);
            let text = files::read_text(&from, LARGEST_TEXT).map_err(|source| self.file_error(&from, source))?;
            let template = Template::parse(&text).map_err(|source| ServiceError::Template {
                who: self.who.clone(),
                path: from.clone(),
                source,
            })?;
            let mut filled = self.fill(&file.from.display().to_string(), &template)?;
            for patch in patches.iter().filter(|patch| patch.file == file.from) {
                let patched = patch.applied(&filled, &to.to_string_lossy());
                filled = patched.map_err(|flaw| ServiceError::Patch { who: self.who.clone(), flaw })?;
            }
            if let Some(folder) = to.parent() {
                fs::create_dir_all(folder).map_err(|source| self.file_error(folder, source))?;
            }
            // Below the cell's folder all is steep's own; elsewhere the scenario's author knows what is there.
            let is_own = to.starts_with(self.place.cell_folder);
            let written =
                if is_own { files::replace(&to, filled.as_bytes()) } else { files::write_output(&to, &filled) };
            written.map_err(|source| self.file_error(&to, source))?;
        }
        Ok(())
    }

    fn file_error(&self, path: &Path, source: std::io::Error) -> ServiceError {
        ServiceError::File { who: self.who.clone(), path: path.to_owned(), source }
    }
}

/// A program with a slash in it is below the scenario's folder, any other is looked for in `PATH`.
fn program_path(program: &str, scenario_folder: &Path) -> PathBuf {
    if program.contains('/') { scenario_folder.join(program) } else { PathBuf::from(program) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_program_with_a_slash_is_below_the_scenario() {
        let folder = Path::new("/scenarios");
        assert_eq!(program_path("nginx", folder), Path::new("nginx"));
        assert_eq!(program_path("./seed.sh", folder), Path::new("/scenarios/./seed.sh"));
        assert_eq!(program_path("/usr/sbin/nginx", folder), Path::new("/usr/sbin/nginx"));
    }
}
