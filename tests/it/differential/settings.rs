//! Settings that must not change an answer.

use std::sync::Arc;

use datafusion::config::ConfigOptions;
use datafusion::execution::memory_pool::FairSpillPool;
use datafusion::execution::runtime_env::RuntimeEnvBuilder;
use datafusion::prelude::{SessionConfig, SessionContext};

/// One such setting.
#[derive(Debug, Clone)]
pub(super) struct Setting {
    pub(super) name: String,
    options: Vec<(String, String)>,
    memory_limit: Option<usize>,
    /// Whether tables in memory become Parquet files with a row group for every row.
    pub(super) parquet: bool,
    /// Statements run on this many workers.
    n_workers: usize,
}

/// Options that are known to give wrong answers in this version of DataFusion, so `install`
/// switches them off.
const SWITCHED_OFF: [&str; 2] = [
    "datafusion.optimizer.enable_leaf_expression_pushdown",
    "datafusion.optimizer.enable_aggregate_dynamic_filter_pushdown",
];

/// Options that are meant to change what is read, written or accepted.
const WITH_A_MEANING: [&str; 6] = [
    "datafusion.execution.enable_recursive_ctes",
    "datafusion.execution.enable_ansi_mode",
    "datafusion.execution.listing_table_ignore_subdirectory",
    "datafusion.execution.listing_table_factory_infer_partitions",
    "datafusion.execution.keep_partition_by_columns",
    "datafusion.optimizer.skip_failed_rules",
];

/// Numbers at the limits of their range.
const NUMBERS: [(&str, &str); 17] = [
    ("datafusion.execution.target_partitions", "1"),
    ("datafusion.execution.target_partitions", "2"),
    ("datafusion.execution.target_partitions", "7"),
    ("datafusion.execution.batch_size", "1"),
    ("datafusion.execution.batch_size", "7"),
    ("datafusion.execution.sort_in_place_threshold_bytes", "0"),
    (
        "datafusion.execution.skip_partial_aggregation_probe_rows_threshold",
        "0",
    ),
    (
        "datafusion.execution.skip_partial_aggregation_probe_ratio_threshold",
        "0",
    ),
    ("datafusion.optimizer.max_passes", "1"),
    ("datafusion.optimizer.max_passes", "9"),
    ("datafusion.optimizer.repartition_file_min_size", "0"),
    ("datafusion.optimizer.preserve_file_partitions", "1"),
    (
        "datafusion.optimizer.hash_join_single_partition_threshold",
        "0",
    ),
    (
        "datafusion.optimizer.hash_join_single_partition_threshold_rows",
        "0",
    ),
    (
        "datafusion.optimizer.hash_join_inlist_pushdown_max_size",
        "0",
    ),
    ("datafusion.optimizer.subset_repartition_threshold", "1"),
    ("datafusion.optimizer.default_filter_selectivity", "100"),
];

/// Memory that makes sorts and groups of about a thousand rows spill.
const MEMORY_LIMIT: usize = 3 << 20;

impl Setting {
    fn new(name: &str, options: &[(&str, &str)]) -> Self {
        let owned = |(key, value): &(&str, &str)| (key.to_string(), value.to_string());
        Self {
            name: name.to_string(),
            options: options.iter().map(owned).collect(),
            memory_limit: None,
            parquet: false,
            n_workers: 0,
        }
    }

    /// The default setting.
    pub(super) fn default() -> Self {
        Self::new("default", &[])
    }

    /// The same setting over files.
    pub(super) fn over_parquet(&self) -> Self {
        Self {
            name: format!("{} over Parquet", self.name),
            parquet: true,
            ..self.clone()
        }
    }

    /// A session with this setting.
    pub(super) fn session(&self) -> SessionContext {
        let mut config = SessionConfig::new().with_information_schema(true);
        for (key, value) in &self.options {
            config.options_mut().set(key, value).unwrap();
        }
        let mut runtime = RuntimeEnvBuilder::new();
        if let Some(bytes) = self.memory_limit {
            runtime = runtime.with_memory_pool(Arc::new(FairSpillPool::new(bytes)));
        }
        let runtime = runtime.build_arc().unwrap();
        let context = SessionContext::new_with_config_rt(config, runtime).enable_url_table();
        datafusion_aiops::install(&context).unwrap();
        #[cfg(feature = "distributed")]
        if self.n_workers > 0 {
            crate::distributed::use_workers(&context, self.n_workers);
        }
        context
    }
}

/// Workers, over Parquet files that are cut into as many pieces as there are partitions.
#[cfg(feature = "distributed")]
pub(super) fn settings_of_workers() -> Vec<Setting> {
    let with = |n_workers: usize, n_partitions: &str| Setting {
        n_workers,
        ..Setting::new(
            &format!("{n_workers} workers of {n_partitions} partitions"),
            &[("datafusion.execution.target_partitions", n_partitions)],
        )
        .over_parquet()
    };
    vec![with(3, "2"), with(1, "1"), with(2, "16")]
}

/// This build has no workers.
#[cfg(not(feature = "distributed"))]
pub(super) fn settings_of_workers() -> Vec<Setting> {
    vec![]
}

/// All settings.
pub(super) fn settings() -> Vec<Setting> {
    let mut settings: Vec<_> = NUMBERS
        .iter()
        .filter(|(key, _)| has_option(key))
        .map(|option| Setting::new(&format!("{}={}", option.0, option.1), &[*option]))
        .collect();
    for (key, value) in switches() {
        let turned = if value == "true" { "false" } else { "true" };
        settings.push(Setting::new(&format!("{key}={turned}"), &[(&key, turned)]));
    }
    let pruned = [
        ("datafusion.execution.parquet.pushdown_filters", "true"),
        ("datafusion.execution.parquet.reorder_filters", "true"),
    ];
    settings.push(Setting::new("filters within Parquet", &pruned).over_parquet());
    let unpruned = [
        ("datafusion.execution.parquet.pruning", "false"),
        ("datafusion.execution.parquet.enable_page_index", "false"),
        ("datafusion.execution.collect_statistics", "false"),
    ];
    settings.push(Setting::new("without statistics", &unpruned).over_parquet());
    settings.push(Setting::default().over_parquet());
    let small = [("datafusion.execution.sort_spill_reservation_bytes", "65536")];
    settings.push(Setting {
        memory_limit: Some(MEMORY_LIMIT),
        ..Setting::new("little memory", &small)
    });
    settings
}

fn has_option(key: &str) -> bool {
    ConfigOptions::new()
        .entries()
        .iter()
        .any(|entry| entry.key == key)
}

/// The switches of the optimiser and of the execution, with their defaults.
fn switches() -> Vec<(String, String)> {
    let is_switch = |value: &String| value == "true" || value == "false";
    let is_free = |key: &String| {
        let is_ours =
            key.starts_with("datafusion.optimizer.") || key.starts_with("datafusion.execution.");
        let (off, with_a_meaning) = (&SWITCHED_OFF, &WITH_A_MEANING);
        is_ours && !off.contains(&key.as_str()) && !with_a_meaning.contains(&key.as_str())
    };
    let entries = ConfigOptions::new().entries().into_iter();
    entries
        .filter_map(|entry| Some((entry.key, entry.value?)))
        .filter(|(key, value)| is_free(key) && is_switch(value))
        .collect()
}
