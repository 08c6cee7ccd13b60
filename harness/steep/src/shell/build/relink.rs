//! A binary with jemalloc or mimalloc linked into it is linked once more, so that the library which counts live bytes
//! sees its allocator. Only the last step of the build differs.

use std::path::Path;

use steep_live::{LIBRARY, LIBRARY_FILE};
use tokio::time::timeout;

use super::{BUILD_TIMEOUT, BuildError, Built, Workspace, copy, executable};
use crate::shell::files;
use crate::shell::live::link_arguments;
use crate::shell::process::output::LOG_FILE_MAX;
use crate::shell::process::{Launch, Process};

/// What cargo said to it, beside the binary.
const LOG: &str = "relink.log";

impl Workspace {
    /// `plain`, which `launch` made, linked so that its allocator is seen; as it is where it has none of those that are
    /// known, or cannot be linked so: then it is judged without live bytes.
    pub(super) async fn relinked(
        plain: Built,
        launch: Launch,
        (folder, binary): (&Path, &str),
        supervisor: &Path,
    ) -> Result<Built, BuildError> {
        let library = folder.canonicalize().unwrap_or_else(|_| folder.to_owned()).join(LIBRARY_FILE);
        let arguments = link_arguments(&plain.path, &library);
        if LIBRARY.is_empty() || arguments.is_empty() || files::replace(&library, LIBRARY).is_err() {
            return Ok(plain);
        }
        let mut args = launch.args;
        "rustc".clone_into(&mut args[0]);
        args.push("--".to_owned());
        args.extend(arguments.into_iter().flat_map(|argument| ["-C".to_owned(), format!("link-arg={argument}")]));
        let launch = Launch { args, log: folder.join(LOG), ..launch };
        let mut cargo = Process::start(&launch, supervisor).await?;
        if timeout(BUILD_TIMEOUT, cargo.wait()).await.is_err() || cargo.wait_until_gone().await.code != Some(0) {
            return Ok(plain);
        }
        let output = files::read(&launch.log, LOG_FILE_MAX.get()).unwrap_or_default();
        let Some(made) = executable(&String::from_utf8_lossy(&output), binary) else { return Ok(plain) };
        let linked = copy(&made.path, folder, binary)?;
        Ok(Built { path: linked.path, sha256: linked.sha256, is_relinked: true, ..plain })
    }
}
