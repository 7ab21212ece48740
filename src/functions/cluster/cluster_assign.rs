//! `cluster_assign(vec, representatives [, options])`: assigns a row to a known cluster.

use std::ops::Range;
use std::sync::Arc;

use datafusion::arrow::array::{
    Array, ArrayRef, AsArray, BooleanBuilder, Float32Builder, ListArray, StructArray, UInt64Array,
    UInt64Builder, new_empty_array,
};
use datafusion::arrow::compute::{cast, concat, take};
use datafusion::arrow::datatypes::{DataType, Field, Fields};
use datafusion::common::{DataFusionError, Result, exec_datafusion_err, exec_err, plan_err};
use datafusion::logical_expr::{ColumnarValue, Documentation};
use datafusion_macros::user_doc;

use crate::algorithms::cluster::{Assigner, Assignment, DEFAULT_THRESHOLD, Metric, Vectors};
use crate::functions::call::options::CallOptions;
use crate::functions::call::parameters::{Parameters, Takes, struct_field};
use crate::functions::call::scalar::{BatchArguments, Scalar};
use crate::functions::call::vectors::VectorColumn;
use crate::functions::cluster::fit_options::{read_metric, read_threshold};

const NAME: &str = "cluster_assign";

#[user_doc(
    doc_section(label = "Cluster Functions"),
    description = "Finds the nearest of known clusters: the representative with the least distance, the first in the list of equal ones. Beyond the threshold `cluster_id` is NULL and `is_new` true; `distance` is that of the nearest one all the same. \
It compares with representatives alone, so for a row that `cluster_fit` has seen the cluster found there counts. Where nothing is known yet (a NULL or empty list) every row is new. A representative without a cluster or a vector is passed over. NULL for a NULL vector, and for one with a NULL or NaN in it.",
    syntax_example = "cluster_assign(vec, representatives [, options])",
    sql_example = r#"```sql
> WITH known AS (SELECT array_agg(named_struct('cluster_id', id, 'vec', vec)) AS representatives FROM (VALUES (1, [1.0, 0.0]), (2, [0.0, 1.0])) AS r(id, vec))
SELECT a['cluster_id'] AS cluster_id, round(a['distance'], 3) AS distance, a['is_new'] AS is_new
FROM (SELECT cluster_assign(vec, (SELECT representatives FROM known), 'threshold=0.2') AS a FROM (VALUES ([0.9, 0.1]), ([0.5, 0.5])) AS new(vec));
+------------+----------+--------+
| cluster_id | distance | is_new |
+------------+----------+--------+
| 1          | 0.006    | false  |
|            | 0.293    | true   |
+------------+----------+--------+
```"#,
    argument(
        name = "vec",
        description = "A list of numbers, made with the same model as those of the representatives"
    ),
    argument(
        name = "representatives",
        description = "A list of structs with `cluster_id` and `vec`; best by a scalar subquery"
    ),
    argument(
        name = "options",
        description = "Constant. `threshold=0.8`: the distance, inclusive, up to which a row belongs to a cluster; `metric=cosine|euclidean`, where euclidean has no default threshold"
    )
)]
#[derive(Debug, Default)]
pub(crate) struct ClusterAssign;

/// The checked options.
#[derive(Debug)]
pub(crate) struct AssignOptions {
    metric: Metric,
    threshold: f64,
}

fn result_fields(cluster_id: &DataType) -> Fields {
    Fields::from(vec![
        Field::new("cluster_id", cluster_id.clone(), true),
        Field::new("distance", DataType::Float32, true),
        Field::new("is_new", DataType::Boolean, true),
    ])
}

impl Scalar for ClusterAssign {
    const PARAMETERS: Parameters = Parameters {
        function: NAME,
        required: &[
            ("vec", Takes::Vector),
            ("representatives", Takes::Representatives),
        ],
        optional: &[],
        has_options: true,
    };

    type Options = AssignOptions;

    const MAKES_NULLS: bool = true;

    fn documentation(&self) -> Option<&Documentation> {
        self.doc()
    }

    fn read_options(options: &mut CallOptions) -> Result<AssignOptions> {
        let metric = read_metric(options)?.unwrap_or_default();
        let threshold = match read_threshold(options)? {
            Some(threshold) => threshold,
            None if metric == Metric::Cosine => DEFAULT_THRESHOLD,
            None => {
                return plan_err!(
                    "{NAME}: metric=euclidean has no default threshold: write threshold=..."
                );
            }
        };
        Ok(AssignOptions { metric, threshold })
    }

    fn return_type(&self, types: &[DataType]) -> DataType {
        DataType::Struct(result_fields(&cluster_id_type(&types[1])))
    }

    fn call(
        &self,
        arguments: &BatchArguments<'_>,
        options: &AssignOptions,
    ) -> Result<ColumnarValue> {
        let n_rows = arguments.n_rows;
        let vectors = VectorColumn::try_new(&arguments.required(0).to_array(n_rows)?)?;
        let given = arguments.required(1);
        // A constant list is read once; lists that differ are read row by row.
        let is_one_list = matches!(given, ColumnarValue::Scalar(_));
        let lists = given.to_array(if is_one_list { 1 } else { n_rows })?;
        let lists = representative_lists(&lists)?;
        let mut nearest = Nearest::default();
        if is_one_list {
            nearest.add(
                &KnownRepresentatives::read(&lists, 0, options)?,
                &vectors,
                0..n_rows,
            )?;
        } else {
            for row in 0..n_rows {
                nearest.add(
                    &KnownRepresentatives::read(&lists, row, options)?,
                    &vectors,
                    row..row + 1,
                )?;
            }
        }
        let id_type = cluster_id_type(lists.data_type());
        Ok(ColumnarValue::Array(nearest.finish(&id_type)?))
    }
}

/// The type of the ids of representatives; BIGINT if they are untyped NULLs.
fn cluster_id_type(representatives: &DataType) -> DataType {
    struct_field(representatives, "cluster_id")
        .filter(|id_type| !id_type.is_null())
        .unwrap_or(DataType::Int64)
}

/// The lists of any kind as a [`ListArray`].
fn representative_lists(lists: &ArrayRef) -> Result<ListArray> {
    let item = match lists.data_type() {
        DataType::List(item)
        | DataType::LargeList(item)
        | DataType::ListView(item)
        | DataType::LargeListView(item)
        | DataType::FixedSizeList(item, _) => Arc::clone(item),
        other => return exec_err!("{NAME}: expected a list of representatives, got {other}"),
    };
    Ok(cast(lists, &DataType::List(item))?.as_list::<i32>().clone())
}

/// The representatives of one list.
struct KnownRepresentatives {
    ids: Option<ArrayRef>,
    assigner: Option<Assigner>,
    dimensions: usize,
}

impl KnownRepresentatives {
    fn read(lists: &ListArray, list: usize, options: &AssignOptions) -> Result<Self> {
        let nothing = Self {
            ids: None,
            assigner: None,
            dimensions: 0,
        };
        let list = lists.is_valid(list).then(|| lists.value(list));
        let structs = list.as_ref().and_then(|list| list.as_struct_opt());
        let Some(structs) = structs else {
            return Ok(nothing);
        };
        let (Some(ids), Some(vectors)) = (
            structs.column_by_name("cluster_id"),
            structs.column_by_name("vec"),
        ) else {
            return exec_err!("{NAME}: representatives need the fields cluster_id and vec");
        };
        if ids.data_type().is_null() || vectors.data_type().is_null() {
            return Ok(nothing);
        }
        let vectors = VectorColumn::try_new(vectors)?;
        let rows = 0..structs.len();
        let rows = rows.filter(|&row| structs.is_valid(row) && !ids.is_null(row));
        let mut known: Option<Vectors> = None;
        let mut positions = vec![];
        for row in rows {
            let Some(vector) = vectors.get(row).filter(is_finite) else {
                continue;
            };
            let known = known.get_or_insert_with(|| Vectors::new(vector.len()));
            if known.push(vector).map_err(other_dimension)? {
                positions.push(row as u64);
            }
        }
        let Some(known) = known else {
            return Ok(nothing);
        };
        Ok(Self {
            ids: Some(take(ids, &UInt64Array::from(positions), None)?),
            dimensions: known.dimensions(),
            assigner: Some(Assigner::new(known, options.metric, options.threshold)?),
        })
    }
}

fn is_finite(vector: &&[f32]) -> bool {
    vector.iter().all(|value| value.is_finite())
}

fn other_dimension(error: crate::error::Error) -> DataFusionError {
    exec_datafusion_err!("{NAME}: {error}; make all vectors with the same model")
}

/// The assignments of the rows so far.
#[derive(Default)]
struct Nearest {
    /// The cluster ids of all lists, one after the other.
    ids: Vec<ArrayRef>,
    n_ids: usize,
    positions: UInt64Builder,
    distances: Float32Builder,
    is_new: BooleanBuilder,
    is_valid: Vec<bool>,
}

impl Nearest {
    fn add(
        &mut self,
        known: &KnownRepresentatives,
        vectors: &VectorColumn,
        rows: Range<usize>,
    ) -> Result<()> {
        let mut queries = Vectors::new(known.dimensions);
        let mut is_asked = Vec::with_capacity(rows.len());
        for row in rows {
            let vector = vectors.get(row);
            is_asked.push(match (vector.filter(is_finite), &known.assigner) {
                (Some(vector), Some(_)) => queries.push(vector).map_err(other_dimension)?,
                (vector, _) => vector.is_some(),
            });
        }
        let found = match &known.assigner {
            Some(assigner) => assigner.assign(&queries)?,
            None => vec![],
        };
        let mut found = found.into_iter();
        for is_asked in is_asked {
            let assignment = is_asked.then(|| found.next().flatten());
            self.push(assignment);
        }
        self.n_ids += known.ids.as_ref().map_or(0, |ids| ids.len());
        self.ids.extend(known.ids.clone());
        Ok(())
    }

    /// Adds a row: `None` if it has no vector, `Some(None)` if there are no representatives.
    fn push(&mut self, assignment: Option<Option<Assignment>>) {
        let nearest = assignment.flatten();
        let position = nearest
            .filter(|nearest| !nearest.is_new)
            .map(|nearest| (self.n_ids + nearest.representative) as u64);
        self.is_valid.push(assignment.is_some());
        self.positions.append_option(position);
        self.distances
            .append_option(nearest.map(|nearest| nearest.distance));
        self.is_new
            .append_option(assignment.map(|_| position.is_none()));
    }

    fn finish(mut self, id_type: &DataType) -> Result<ArrayRef> {
        self.ids.push(new_empty_array(id_type));
        let ids: Vec<&dyn Array> = self.ids.iter().map(AsRef::as_ref).collect();
        let columns: Vec<ArrayRef> = vec![
            take(&concat(&ids)?, &self.positions.finish(), None)?,
            Arc::new(self.distances.finish()),
            Arc::new(self.is_new.finish()),
        ];
        let nulls = Some(self.is_valid.into());
        let found = StructArray::try_new(result_fields(id_type), columns, nulls)?;
        Ok(Arc::new(found))
    }
}
