//! The answer of a function does not depend on batch size, partitions or the order of rows.

use crate::golden::project;
use datafusion::arrow::array::{ArrayRef, RecordBatch, StringViewArray};
use datafusion::arrow::datatypes::{DataType, Field, Schema};
use datafusion::arrow::util::pretty::pretty_format_batches;
use datafusion::datasource::MemTable;
use datafusion::prelude::{SessionConfig, SessionContext};
use std::sync::Arc;

/// Some lines of the samples, NULL and the empty line among them.
fn lines() -> Vec<Option<String>> {
    let text = [
        "postgresql.log",
        "nginx_error.log",
        "app.jsonl",
        "app_python.log",
    ]
    .map(|file| std::fs::read_to_string(project().join("sql/data").join(file)).unwrap())
    .concat();
    let mut lines: Vec<_> = text
        .lines()
        .step_by(17)
        .map(|line| Some(line.to_string()))
        .collect();
    lines.extend([None, Some(String::new()), Some("  \t".to_string()), None]);
    lines
}

/// The lines as a table of `n_partitions` partitions of batches of `batch_size`, in the order of `step`.
fn table(
    lines: &[Option<String>],
    batch_size: usize,
    n_partitions: usize,
    step: usize,
) -> MemTable {
    let schema = Arc::new(Schema::new(vec![Field::new(
        "message",
        DataType::Utf8View,
        true,
    )]));
    let ordered: Vec<_> = (0..step)
        .flat_map(|first| lines.iter().skip(first).step_by(step).cloned())
        .collect();
    let batch = |rows: &[Option<String>]| {
        let column: ArrayRef = Arc::new(
            rows.iter()
                .map(Option::as_deref)
                .collect::<StringViewArray>(),
        );
        RecordBatch::try_new(Arc::clone(&schema), vec![column]).unwrap()
    };
    let mut partitions = vec![vec![]; n_partitions];
    for (position, rows) in ordered.chunks(batch_size).enumerate() {
        partitions[position % n_partitions].push(batch(rows));
    }
    MemTable::try_new(schema, partitions).unwrap()
}

async fn answer(
    query: &str,
    lines: &[Option<String>],
    batch_size: usize,
    n_partitions: usize,
    step: usize,
) -> String {
    let config = SessionConfig::new()
        .with_batch_size(batch_size)
        .with_target_partitions(n_partitions);
    let context = SessionContext::new_with_state(
        datafusion_aiops::session_state_builder()
            .with_config(config)
            .build(),
    );
    datafusion_aiops::install(&context).unwrap();
    context
        .register_table(
            "lines",
            Arc::new(table(lines, batch_size, n_partitions, step)),
        )
        .unwrap();
    let batches = context.sql(query).await.unwrap().collect().await.unwrap();
    pretty_format_batches(&batches).unwrap().to_string()
}

async fn check(query: &str) {
    let lines = lines();
    let expected = answer(query, &lines, 8192, 1, 1).await;
    for (batch_size, n_partitions, step) in [
        (1, 1, 1),
        (7, 1, 1),
        (7, 4, 1),
        (8192, 4, 1),
        (1, 4, 5),
        (8192, 1, 11),
    ] {
        let actual = answer(query, &lines, batch_size, n_partitions, step).await;
        assert!(
            actual == expected,
            "batch size {batch_size}, {n_partitions} partitions, order {step}: {query}"
        );
    }
}

#[tokio::test]
async fn scalar_functions() {
    check(
        "SELECT message, log_template(message), log_template(message, 'style=typed,keep=ERROR|200'),
                log_template(arrow_cast(message, 'Dictionary(Int32, Utf8)'), 'profile=json'),
                template_hash(log_template(message)), log_parse(message), log_tokens(log_template(message)),
                template_regex(log_template(message)), template_match(message, log_template(message)),
                log_tokens(message, 'concepts=on'), tfidf_vec(message, 'dimensions=16')
         FROM lines ORDER BY message NULLS FIRST",
    )
    .await;
}

/// Models are compared byte for byte.
#[tokio::test]
async fn models() {
    for model in [
        "log_mine(message)",
        "log_mine(message, 'profile=kv,max_templates=20')",
        "log_mine(message, 'max_templates=1')",
        "tfidf_fit(log_template(message))",
        "tfidf_fit(message, 'max_terms=30,min_df=2,max_df=0.5,concepts=off')",
    ] {
        check(&format!("SELECT encode({model}, 'hex') FROM lines")).await;
    }
}

#[tokio::test]
async fn clusters() {
    let vectors = "WITH vocabulary AS (SELECT tfidf_fit(log_template(message)) AS model FROM lines), vectors AS (
        SELECT DISTINCT template, template_hash(template) AS id, tfidf_vec(template, (SELECT model FROM vocabulary)) AS vec
        FROM (SELECT log_template(message) AS template FROM lines))";
    for answer in [
        "cluster_fit(id, vec)",
        "cluster_fit(id, vec, 'linkage=complete,num_clusters=7')",
        "cluster_fit(id, vec, 'linkage=single,threshold=0.4')",
        "cluster_fit(id, vec, 'linkage=ward,num_clusters=auto')",
        "cluster_fit(id, vec, 'max_exact_rows=20')",
        "cluster_fit(id, vec, 'method=kmeans,num_clusters=5,n_runs=2')",
        "cluster_fit(id, vec, 'method=dbscan,threshold=0.4,min_points=2')",
        "cluster_fit(id, vec, CASE WHEN id % 3 = 0 THEN id % 7 END, '')",
        "cluster_keywords(id % 5, template)",
        "cluster_keywords(CAST(id % 5 AS TEXT), template, 'max_keywords=50')",
    ] {
        check(&format!("{vectors} SELECT {answer} FROM vectors")).await;
    }
}
