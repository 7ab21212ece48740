//! The options of `cluster_fit`, some of which `cluster_assign` shares.

use datafusion::common::{Result, plan_err};

use crate::algorithms::cluster::{
    ClusterMethod, ClusterOptions, DEFAULT_MAX_EXACT_ROWS, Linkage, Metric, NumClusters, Scale,
};
use crate::functions::call::options::CallOptions;

/// Reads the options of `cluster_fit`. They are checked against each other later, when it is known
/// whether there are priors.
pub(super) fn read_cluster_options(options: &mut CallOptions) -> Result<ClusterOptions> {
    let methods = [
        ("agglomerative", ClusterMethod::Agglomerative),
        ("kmeans", ClusterMethod::KMeans),
        ("dbscan", ClusterMethod::Dbscan),
    ];
    let linkages = [
        ("average", Linkage::Average),
        ("complete", Linkage::Complete),
        ("single", Linkage::Single),
        ("ward", Linkage::Ward),
    ];
    let scales = [("none", Scale::None), ("standard", Scale::Standard)];
    let method = options.take_choice("method", &methods)?;
    let linkage = options.take_choice("linkage", &linkages)?;
    let metric = read_metric(options)?;
    // Ward's linkage is defined for squared Euclidean distances, so no other metric can be meant.
    let ward = (linkage == Some(Linkage::Ward)).then_some(Metric::Euclidean);
    let max_exact_rows = options.take_number("max_exact_rows", 1)?;
    Ok(ClusterOptions {
        method: method.unwrap_or_default(),
        linkage,
        threshold: read_threshold(options)?,
        num_clusters: read_num_clusters(options)?,
        metric: metric.or(ward).unwrap_or_default(),
        scale: options.take_choice("scale", &scales)?.unwrap_or_default(),
        min_points: options.take_number("min_points", 1)?,
        seed: options.take_number("seed", 0)?,
        n_runs: options.take_number("n_runs", 1)?,
        max_exact_rows: max_exact_rows.unwrap_or(DEFAULT_MAX_EXACT_ROWS),
        with_priors: false,
    })
}

pub(super) fn read_metric(options: &mut CallOptions) -> Result<Option<Metric>> {
    let metrics = [("cosine", Metric::Cosine), ("euclidean", Metric::Euclidean)];
    options.take_choice("metric", &metrics)
}

pub(super) fn read_threshold(options: &mut CallOptions) -> Result<Option<f64>> {
    options.take_real("threshold", 0.0, f64::INFINITY)
}

fn read_num_clusters(options: &mut CallOptions) -> Result<Option<NumClusters>> {
    match options.take_text("num_clusters").as_deref() {
        None => Ok(None),
        Some("auto") => Ok(Some(NumClusters::Auto)),
        Some(text) => match text.parse() {
            Ok(number) if number > 0 => Ok(Some(NumClusters::Exactly(number))),
            _ => plan_err!(
                "{}: option num_clusters needs a whole number from 1 up or auto, got '{text}'",
                options.function()
            ),
        },
    }
}
