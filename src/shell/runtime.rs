//! The limits of memory and disk of a process.

use std::num::NonZeroUsize;
use std::sync::Arc;

use datafusion::common::Result;
use datafusion::execution::disk_manager::{DiskManagerBuilder, DiskManagerMode};
use datafusion::execution::memory_pool::{
    FairSpillPool, GreedyMemoryPool, MemoryPool, TrackConsumersPool,
};
use datafusion::execution::object_store::ObjectStoreRegistry;
use datafusion::execution::runtime_env::{RuntimeEnv, RuntimeEnvBuilder};
use datafusion_cli::pool_type::PoolType;

use crate::shell::arguments::CommandLine;

/// How many of the largest users of memory an error names when memory is exhausted.
const NAMED_CONSUMERS: NonZeroUsize = NonZeroUsize::MIN.saturating_add(2);

/// The limits of memory and disk that the arguments set.
///
/// # Errors
/// When the system refuses them.
pub(crate) fn runtime(
    arguments: &CommandLine,
    stores: Arc<dyn ObjectStoreRegistry>,
) -> Result<Arc<RuntimeEnv>> {
    let mut builder = RuntimeEnvBuilder::new().with_object_store_registry(stores);
    if let Some(bytes) = arguments.memory_limit {
        let pool: Arc<dyn MemoryPool> = match arguments.mem_pool_type {
            PoolType::Fair => {
                let pool = FairSpillPool::new(bytes);
                Arc::new(TrackConsumersPool::new(pool, NAMED_CONSUMERS))
            }
            PoolType::Greedy => {
                let pool = GreedyMemoryPool::new(bytes);
                Arc::new(TrackConsumersPool::new(pool, NAMED_CONSUMERS))
            }
        };
        builder = builder.with_memory_pool(pool);
    }
    if let Some(bytes) = arguments.disk_limit {
        let disk = DiskManagerBuilder::default()
            .with_mode(DiskManagerMode::OsTmpDirectory)
            .with_max_temp_directory_size(u64::try_from(bytes).unwrap_or(u64::MAX));
        builder = builder.with_disk_manager_builder(disk);
    }
    builder.build_arc()
}
