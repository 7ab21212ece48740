//! Every SQL function of this crate has documentation whose example runs and prints what it says.

use std::collections::BTreeMap;

use datafusion::arrow::util::pretty::pretty_format_batches;
use datafusion::execution::FunctionRegistry;
use datafusion::logical_expr::Documentation;
use datafusion::prelude::SessionContext;

/// The functions that [`datafusion_aiops::register_all`] adds. A name can appear twice: as an
/// aggregate and as a window function.
pub(crate) fn our_functions() -> Vec<(String, Documentation)> {
    let mut context = SessionContext::new();
    let before = documented(&context);
    datafusion_aiops::register_all(&mut context).unwrap();
    let added = documented(&context)
        .into_iter()
        .filter(|(key, _)| !before.contains_key(key));
    added
        .map(|((name, _), documentation)| {
            let documentation =
                documentation.unwrap_or_else(|| panic!("{name} has no documentation"));
            (name, documentation)
        })
        .collect()
}

/// All scalar, aggregate and window functions of a context: name and kind.
fn documented(context: &SessionContext) -> BTreeMap<(String, &'static str), Option<Documentation>> {
    let scalar = context.udfs().into_iter().map(|name| {
        let documentation = context.udf(&name).unwrap().documentation().cloned();
        ((name, "SCALAR"), documentation)
    });
    let aggregate = context.udafs().into_iter().map(|name| {
        let documentation = context.udaf(&name).unwrap().documentation().cloned();
        ((name, "AGGREGATE"), documentation)
    });
    let window = context.udwfs().into_iter().map(|name| {
        let documentation = context.udwf(&name).unwrap().documentation().cloned();
        ((name, "WINDOW"), documentation)
    });
    scalar.chain(aggregate).chain(window).collect()
}

/// The statements of an example, each after `> `, with what they print.
fn statements(example: &str) -> Vec<(String, String)> {
    let mut found: Vec<(String, String)> = vec![];
    for line in example.lines().filter(|line| !line.starts_with("```")) {
        match (line.strip_prefix("> "), found.last_mut()) {
            (Some(statement), _) => found.push((statement.to_string(), String::new())),
            (None, Some((statement, output))) if output.is_empty() && !line.starts_with('+') => {
                statement.push('\n');
                statement.push_str(line);
            }
            (None, Some((_, output))) => {
                output.push_str(line);
                output.push('\n');
            }
            (None, None) => panic!("an example begins with '> ', got {line}"),
        }
    }
    found
}

#[tokio::test]
async fn examples_print_what_they_say() {
    let functions = our_functions();
    assert!(functions.len() >= 12);
    for (name, documentation) in functions {
        let example = documentation
            .sql_example
            .unwrap_or_else(|| panic!("{name} has no sql_example"));
        assert!(
            documentation
                .arguments
                .is_some_and(|arguments| !arguments.is_empty()),
            "{name}: arguments are not described"
        );
        for (statement, expected) in statements(&example) {
            assert!(
                statement.contains(&name) || name.starts_with("template_"),
                "{name}: {statement}"
            );
            let context = datafusion_aiops::session().unwrap();
            let batches = context
                .sql(&statement)
                .await
                .unwrap()
                .collect()
                .await
                .unwrap();
            let actual = pretty_format_batches(&batches).unwrap().to_string();
            assert_eq!(actual, expected.trim_end(), "{name}: {statement}\n{actual}");
        }
    }
}

#[tokio::test]
async fn functions_are_listed() {
    let context = datafusion_aiops::session().unwrap();
    let functions = our_functions();
    for (name, _) in &functions {
        let n_forms = functions.iter().filter(|(other, _)| other == name).count();
        let query = format!("SHOW FUNCTIONS LIKE '{name}'");
        let batches = context.sql(&query).await.unwrap().collect().await.unwrap();
        let n_rows: usize = batches.iter().map(|batch| batch.num_rows()).sum();
        assert_eq!(n_rows, n_forms, "SHOW FUNCTIONS LIKE '{name}'");
    }
}
