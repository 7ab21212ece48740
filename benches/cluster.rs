//! Clustering on one core: vectors of many dimensions, templates of logs, and the words and
//! concepts that vectors are made from.
//!
//! Results are in `benches/record`, with their date and machine.

#![allow(clippy::expect_used)]

use std::collections::BTreeSet;
use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use datafusion::prelude::{SessionConfig, SessionContext};
use datafusion_aiops::algorithms::cluster::{ClusterOptions, Linkage, Metric, Vectors};
use datafusion_aiops::algorithms::text::{
    MaskOptions, Masker, TokenOptions, Tokenizer, generalise,
};
use rand_xoshiro::Xoshiro256Plus;
use rand_xoshiro::rand_core::{RngCore, SeedableRng};

/// Rows of values between -1 and 1, the same in every run.
fn dense_vectors(n_rows: usize, n_dimensions: usize) -> Vectors {
    let mut random = Xoshiro256Plus::seed_from_u64(7);
    let mut vectors = Vectors::new(n_dimensions);
    for _ in 0..n_rows {
        let mut bytes = [0; 2];
        let value = |_| {
            random.fill_bytes(&mut bytes);
            f32::from(i16::from_le_bytes(bytes)) / 32_768.0
        };
        let row: Vec<f32> = (0..n_dimensions).map(value).collect();
        vectors.push(&row).expect("of one length");
    }
    vectors
}

fn fit(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("fit_dense_200_dimensions");
    group.sample_size(10);
    for n_rows in [500, 1000, 2000, 4000] {
        let vectors = dense_vectors(n_rows, 200);
        for (name, linkage, metric) in [
            ("average_cosine", Linkage::Average, Metric::Cosine),
            ("ward_euclidean", Linkage::Ward, Metric::Euclidean),
        ] {
            let mut options = ClusterOptions::default();
            options.linkage = Some(linkage);
            options.threshold = Some(0.8);
            options.metric = metric;
            let clustering = options.check().expect("checked");
            group.throughput(Throughput::Elements(n_rows as u64));
            group.bench_function(format!("{name}_{n_rows}"), |bencher| {
                bencher.iter(|| black_box(clustering.fit(&vectors, &[]).expect("fits")));
            });
        }
    }
    group.finish();
}

fn templates() -> Vec<String> {
    let masker = Masker::new(&MaskOptions::default()).expect("checked");
    let text = [
        include_str!("../sql/data/postgresql.log"),
        include_str!("../sql/data/nginx_error.log"),
        include_str!("../sql/data/app.jsonl"),
        include_str!("../sql/data/app_python.log"),
    ]
    .concat();
    let templates: BTreeSet<String> = text.lines().map(|line| masker.template(line)).collect();
    templates.into_iter().collect()
}

fn words(criterion: &mut Criterion) {
    let templates = templates();
    let mut group = criterion.benchmark_group("templates");
    group.throughput(Throughput::Elements(templates.len() as u64));
    for (name, tokenizer) in [
        ("words", Tokenizer::default()),
        (
            "words_and_concepts",
            Tokenizer::with_concepts(TokenOptions::default()),
        ),
    ] {
        group.bench_function(name, |bencher| {
            bencher.iter(|| {
                let mut n_words = 0;
                for template in &templates {
                    tokenizer.tokens(template, |_| n_words += 1);
                }
                n_words
            });
        });
    }
    let texts: Vec<&str> = templates.iter().map(String::as_str).collect();
    group.bench_function("generalise", |bencher| {
        bencher.iter(|| black_box(generalise(&texts, &[])));
    });
    group.finish();
}

/// From templates to clusters, as in `sql/log_clustering`.
fn pipeline(criterion: &mut Criterion) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    let config = SessionConfig::new().with_target_partitions(1);
    let context = SessionContext::new_with_config(config).enable_url_table();
    datafusion_aiops::install(&context).expect("installed");
    let query = "WITH templates AS (
            SELECT log_template(message) AS template, count(*) AS n FROM 'sql/data/events.parquet' GROUP BY template
        ), vocabulary AS (SELECT tfidf_fit(template) AS model FROM templates)
        SELECT cluster_fit(template_hash(template), tfidf_vec(template, (SELECT model FROM vocabulary))) FROM templates";
    criterion.bench_function("events_to_clusters", |bencher| {
        bencher.iter(|| {
            runtime.block_on(async {
                let frame = context.sql(query).await.expect("planned");
                black_box(frame.collect().await.expect("run"))
            })
        });
    });
}

criterion_group!(benches, fit, words, pipeline);
criterion_main!(benches);
