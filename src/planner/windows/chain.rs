//! What stands between a live table and its window function: filters and projections of a view, a
//! CTE or a subquery.
//!
//! They look at one row at a time, so they are done on the rows as they come, before these are cut
//! into windows. Anything else would need rows of other windows, and is refused.

use std::collections::BTreeSet;
use std::sync::Arc;

use datafusion::arrow::datatypes::SchemaRef;
use datafusion::common::Result;
use datafusion::physical_expr::PhysicalExpr;

use crate::streams::table::LiveTable;
use crate::streams::windows::row_plan::{RowPlan, RowStep};

/// A live table and what is done to its rows.
#[derive(Debug, Clone)]
pub(crate) struct Chain {
    pub(crate) live: Arc<LiveTable>,
    pub(super) steps: Vec<RowStep>,
    /// The columns that come out.
    pub(crate) schema: SchemaRef,
    /// Of each of them, the column of the table that it is; `None` where it is computed.
    pub(crate) origins: Vec<Option<usize>>,
}

impl PartialEq for Chain {
    fn eq(&self, other: &Self) -> bool {
        self.is_of(&other.live) && self.steps == other.steps && self.schema == other.schema
    }
}

impl Chain {
    /// All rows of a live table, as they are.
    pub(crate) fn of_table(live: LiveTable) -> Self {
        let schema = live.source.schema();
        Self {
            live: Arc::new(live),
            steps: vec![],
            origins: (0..schema.fields().len()).map(Some).collect(),
            schema,
        }
    }

    /// Keeps of what comes out the rows for which this is true.
    pub(crate) fn add_filter(&mut self, predicate: Arc<dyn PhysicalExpr>) {
        self.steps.push(RowStep::Filter(predicate));
    }

    /// Whether it reads this table.
    pub(crate) fn is_of(&self, live: &LiveTable) -> bool {
        Arc::ptr_eq(&self.live.source, &live.source)
    }

    /// What has to be done for these columns alone.
    ///
    /// # Errors
    /// When there is no such column.
    pub(crate) fn narrow(&self, outputs: &BTreeSet<usize>) -> Result<RowPlan> {
        RowPlan::new(&self.steps, &self.schema, outputs)
    }
}
