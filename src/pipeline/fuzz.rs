//! What the targets of `crate::fuzz` do with pipelines.

use std::sync::Arc;

use datafusion::common::Result;
use datafusion::execution::object_store::ObjectStoreUrl;
use datafusion::execution::runtime_env::RuntimeEnv;
use datafusion::object_store::memory::InMemory;
use datafusion::object_store::path::Path;
use datafusion::object_store::{ObjectStore, ObjectStoreExt, PutPayload};
use datafusion::prelude::SessionContext;

use crate::pipeline::checkpoint::{Checkpoint, Saved};
use crate::pipeline::statement::{PipelineStatement, parse};

const URL: &str = "memory://fuzz";

/// Reads the files of a text, each after a line `--- name`, as a checkpoint, writes what it read,
/// and reads that again.
pub(crate) fn checkpoint(files: &str) {
    let store = InMemory::new();
    for file in files.split("--- ").skip(1) {
        let (name, content) = file.split_once('\n').unwrap_or((file, ""));
        let Ok(path) = Path::parse(format!("checkpoint/{}", name.trim())) else {
            continue;
        };
        let content = PutPayload::from(content.as_bytes().to_vec());
        // A store ignores files whose names it does not accept.
        let _ = futures::executor::block_on(store.put(&path, content));
    }
    let Ok(Some(saved)) = load(store) else {
        return;
    };
    let copy = write(&saved)
        .and_then(load)
        .expect("what was written is read");
    let copy = copy.expect("it has a header");
    assert_eq!(copy.header, saved.header);
    assert_eq!(copy.ranges, saved.ranges);
    assert_eq!(copy.done, saved.done);
}

fn open(store: Arc<dyn ObjectStore>) -> Result<Checkpoint> {
    let runtime = RuntimeEnv::default();
    let url = ObjectStoreUrl::parse(URL)?;
    runtime.register_object_store(url.as_ref(), store);
    Checkpoint::open(&format!("{URL}/checkpoint"), &runtime)
}

fn load(store: InMemory) -> Result<Option<Saved>> {
    futures::executor::block_on(open(Arc::new(store))?.load())
}

fn write(saved: &Saved) -> Result<InMemory> {
    let store = Arc::new(InMemory::new());
    let checkpoint = open(Arc::clone(&store) as _)?;
    futures::executor::block_on(async {
        checkpoint.put_header(&saved.header).await?;
        checkpoint.put_done(&saved.done).await?;
        for range in &saved.ranges {
            checkpoint.put_range(range).await?;
        }
        Ok::<(), datafusion::error::DataFusionError>(())
    })?;
    drop(checkpoint);
    Ok(store.fork())
}

/// Blanks before and after statements do not change how they are written down.
pub(crate) fn normalised(sql: &str, context: &SessionContext) {
    let texts = |sql: &str| -> Result<Vec<String>> {
        let statements = parse(sql, context)?;
        let texts = statements.iter().map(PipelineStatement::normalised);
        Ok(texts.collect())
    };
    if let Ok(expected) = texts(sql) {
        let found = texts(&format!("\n ; {sql}")).expect("it was parsed before");
        assert_eq!(found, expected, "{sql}");
    }
}
