//! The steps between a live table and its window function: filters and projections of a view, a CTE
//! or a subquery.
//!
//! They look at one row at a time, so they are applied to rows as they come, before the rows are
//! cut into windows. Anything else would need rows of other windows, and is refused.

use std::collections::BTreeSet;
use std::sync::Arc;

use datafusion::arrow::datatypes::SchemaRef;
use datafusion::common::Result;
use datafusion::physical_expr::PhysicalExpr;

use crate::streams::table::LiveTable;
use crate::streams::windows::row_plan::{RowPlan, RowStep};

/// A live table and the steps that are applied to its rows.
#[derive(Debug, Clone)]
pub(crate) struct Chain {
    pub(crate) live: Arc<LiveTable>,
    pub(super) steps: Vec<RowStep>,
    /// The columns of the result.
    pub(crate) schema: SchemaRef,
    /// For each column of the result, the column of the table that it is; `None` if it is computed.
    pub(crate) origins: Vec<Option<usize>>,
}

impl PartialEq for Chain {
    fn eq(&self, other: &Self) -> bool {
        self.is_of(&other.live) && self.steps == other.steps && self.schema == other.schema
    }
}

impl Chain {
    /// All rows of a live table, unchanged.
    pub(crate) fn of_table(live: LiveTable) -> Self {
        let schema = live.source.schema();
        Self {
            live: Arc::new(live),
            steps: vec![],
            origins: (0..schema.fields().len()).map(Some).collect(),
            schema,
        }
    }

    /// Adds a filter, which keeps the rows for which the predicate is true.
    pub(crate) fn add_filter(&mut self, predicate: Arc<dyn PhysicalExpr>) {
        self.steps.push(RowStep::Filter(predicate));
    }

    /// Whether the chain reads this table.
    pub(crate) fn is_of(&self, live: &LiveTable) -> bool {
        Arc::ptr_eq(&self.live.source, &live.source)
    }

    /// The plan that computes only these columns.
    ///
    /// # Errors
    /// If there is no such column.
    pub(crate) fn narrow(&self, outputs: &BTreeSet<usize>) -> Result<RowPlan> {
        RowPlan::new(&self.steps, &self.schema, outputs)
    }
}
