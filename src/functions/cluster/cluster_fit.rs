//! `cluster_fit(id, vec [, prior_cluster_id] [, options])`: groups rows by their vectors into
//! clusters.

use std::collections::BTreeSet;
use std::sync::Arc;

use datafusion::arrow::array::{
    ArrayRef, AsArray, BooleanArray, Float32Array, Float32Builder, ListBuilder, StructArray,
    UInt32Builder,
};
use datafusion::arrow::datatypes::{DataType, Field, FieldRef, Fields, Float32Type, UInt32Type};
use datafusion::arrow::record_batch::RecordBatch;
use datafusion::common::{Result, ScalarValue, exec_err, plan_datafusion_err, plan_err};
use datafusion::logical_expr::Documentation;
use datafusion_macros::user_doc;

use crate::algorithms::cluster::{Assigned, Cluster, ClusterOptions, Vectors};
use crate::functions::call::aggregate::{Aggregate, Fold};
use crate::functions::call::lists::list_of;
use crate::functions::call::models::{ModelKind, model_column, read_model, write_model};
use crate::functions::call::options::CallOptions;
use crate::functions::call::parameters::{ArgumentPlaces, Parameters, Takes};
use crate::functions::call::vectors::VectorColumn;
use crate::functions::cluster::fit_options::read_cluster_options;
use crate::functions::cluster::ids::{Id, id_column, id_type, read_ids};

const NAME: &str = "cluster_fit";

/// The rows that one partition of a query has seen.
const STATE: ModelKind = ModelKind {
    name: "cluster_fit_state",
    version: 1,
};

#[user_doc(
    doc_section(label = "Cluster Functions"),
    description = "Groups rows by their vectors. Returns a list with an element for each row, in the order of the ids: the row's id, its cluster, whether it is the representative of \
the cluster (the medoid: the member with the least sum of distances to the others), and its distance from the representative. A new cluster's id is the id of its representative, so with `template_hash` as id it is the same on every run. \
With prior clusters, give the old rows and the new ones together, as an old cluster is known by its rows: a row that has one keeps it, and two old clusters never merge; a new row joins the nearest old cluster within the threshold, judged by its old members, and the other new rows found new clusters among themselves; a row whose own id is that of an old cluster belongs to it. \
A row with a NULL vector, or a NULL or NaN in it, gets its prior cluster or NULL, and a NULL distance. Under cosine a zero vector has distance 1 to every other row. Rows are ordered by id before clustering, so neither their order nor partitions matter; of two merges at equal distance the one whose rows come first in that order is made. An id stands for one row: an equal row counts once, another vector is an error. \
Agglomerative: hierarchical clustering by nearest-neighbour chain (Müllner 2011, kodama). More than `max_exact_rows` rows are first gathered around leaders, not farther than the threshold, which takes bounded memory and is approximate.",
    syntax_example = "cluster_fit(id, vec [, prior_cluster_id] [, options])",
    sql_example = r#"```sql
> WITH points(id, vec) AS (VALUES (1, [1.0, 0.0]), (2, [0.9, 0.1]), (3, [0.0, 1.0]))
SELECT c['id'] AS id, c['cluster_id'] AS cluster_id, c['is_representative'] AS is_representative, round(c['distance'], 3) AS distance
FROM (SELECT unnest(cluster_fit(id, vec)) AS c FROM points);
+----+------------+-------------------+----------+
| id | cluster_id | is_representative | distance |
+----+------------+-------------------+----------+
| 1  | 1          | true              | 0.0      |
| 2  | 1          | false             | 0.006    |
| 3  | 3          | true              | 0.0      |
+----+------------+-------------------+----------+
```"#,
    argument(
        name = "id",
        description = "Tells rows apart: a whole number or text, such as `template_hash(template)`"
    ),
    argument(
        name = "vec",
        description = "A list of numbers, such as `tfidf_vec` returns; all of one length"
    ),
    argument(
        name = "prior_cluster_id",
        description = "The cluster that the row has already, of the type of `id`; NULL for a new row. Where `id` is a text, give options after it, if only `''`"
    ),
    argument(
        name = "options",
        description = "Constant. `method=agglomerative|kmeans|dbscan`. `linkage=average|complete|single|ward`. `threshold=0.8`: distance, inclusive, up to which clusters merge or DBSCAN calls rows neighbours. `num_clusters=n|auto`: in place of a threshold, auto by the largest mean silhouette. \
`metric=cosine|euclidean`. `scale=none|standard`: mean 0 and deviation 1 in every dimension. `min_points=5` (dbscan), `seed=42`, `n_runs=10` (kmeans), `max_exact_rows=10000`"
    )
)]
#[derive(Debug, Default)]
pub(crate) struct ClusterFit;

impl Aggregate for ClusterFit {
    const PARAMETERS: Parameters = Parameters {
        function: NAME,
        required: &[("id", Takes::Id), ("vec", Takes::Vector)],
        optional: &[("prior_cluster_id", Takes::Id)],
        has_options: true,
    };

    type Options = ClusterOptions;

    fn documentation(&self) -> Option<&Documentation> {
        self.doc()
    }

    fn read_options(options: &mut CallOptions) -> Result<ClusterOptions> {
        read_cluster_options(options)
    }

    fn check_call(options: &ClusterOptions, positions: &ArgumentPlaces) -> Result<()> {
        let options = for_call(options, positions);
        let checked = options.check();
        checked.map_err(|error| plan_datafusion_err!("{NAME}: {error}"))?;
        Ok(())
    }

    fn check_types(types: &[DataType], positions: &ArgumentPlaces) -> Result<()> {
        match positions.optional[0] {
            Some(prior) if id_type(&types[prior]) != id_type(&types[0]) => plan_err!(
                "{NAME}: prior_cluster_id must be of the type of id, got {} and {}; cast one of them",
                types[prior],
                types[0]
            ),
            _ => Ok(()),
        }
    }

    fn return_type(types: &[DataType]) -> DataType {
        DataType::List(item(&id_type(&types[0])))
    }

    fn fold(
        options: &Arc<ClusterOptions>,
        types: &[DataType],
        positions: &ArgumentPlaces,
    ) -> Result<Box<dyn Fold>> {
        Ok(Box::new(FitRows {
            options: for_call(options, positions),
            id_type: id_type(&types[0]),
            vectors: None,
            taken: vec![],
            refused: vec![],
        }))
    }
}

fn for_call(options: &ClusterOptions, positions: &ArgumentPlaces) -> ClusterOptions {
    ClusterOptions {
        with_priors: positions.optional[0].is_some(),
        ..options.clone()
    }
}

fn assigned_fields(id_type: &DataType) -> Fields {
    Fields::from(vec![
        Field::new("id", id_type.clone(), true),
        Field::new("cluster_id", id_type.clone(), true),
        Field::new("is_representative", DataType::Boolean, false),
        Field::new("distance", DataType::Float32, true),
    ])
}

fn item(id_type: &DataType) -> FieldRef {
    Arc::new(Field::new_list_field(
        DataType::Struct(assigned_fields(id_type)),
        true,
    ))
}

/// The rows seen so far.
#[derive(Debug)]
struct FitRows {
    options: ClusterOptions,
    id_type: DataType,
    /// The vectors of the rows in `taken`; `None` before the first one, which sets the number of
    /// dimensions.
    vectors: Option<Vectors>,
    taken: Vec<Ids>,
    /// Rows that have no id or no valid vector.
    refused: Vec<Ids>,
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Ids {
    id: Option<Id>,
    prior: Option<Id>,
}

impl Ids {
    fn text_bytes(&self) -> usize {
        let bytes = |id: &Id| match id {
            Id::Number(_) => 0,
            Id::Text(text) => text.len(),
        };
        self.id.iter().chain(&self.prior).map(bytes).sum()
    }
}

impl FitRows {
    fn add(&mut self, ids: Ids, vector: Option<&[f32]>) -> Result<()> {
        let is_finite = |vector: &&[f32]| vector.iter().all(|value| value.is_finite());
        let Some(vector) = vector.filter(|vector| ids.id.is_some() && is_finite(vector)) else {
            self.refused.push(ids);
            return Ok(());
        };
        let vectors = self.vectors_of(vector.len())?;
        vectors.push(vector)?;
        self.taken.push(ids);
        Ok(())
    }

    /// The vectors, which must have this many dimensions.
    fn vectors_of(&mut self, dimensions: usize) -> Result<&mut Vectors> {
        let vectors = self.vectors.get_or_insert_with(|| Vectors::new(dimensions));
        if vectors.dimensions() == dimensions {
            return Ok(vectors);
        }
        exec_err!(
            "{NAME}: there are vectors of {} and of {} numbers; make all with the same model",
            vectors.dimensions().min(dimensions),
            vectors.dimensions().max(dimensions)
        )
    }

    /// The rows in the order of their ids, with each id once.
    fn sorted(&self, vectors: &Vectors) -> Result<Vec<usize>> {
        let mut order: Vec<usize> = (0..self.taken.len()).collect();
        // If an id comes with and without its prior cluster, the row with it is first.
        let key = |row: &usize| {
            let ids = &self.taken[*row];
            (&ids.id, ids.prior.is_none(), &ids.prior)
        };
        order.sort_unstable_by(|a, b| key(a).cmp(&key(b)));
        for rows in order.chunk_by(|a, b| self.taken[*a].id == self.taken[*b].id) {
            self.check_one_row(rows, vectors)?;
        }
        order.dedup_by(|a, b| self.taken[*a].id == self.taken[*b].id);
        Ok(order)
    }

    /// Refuses rows that have the same id but are not the same row.
    fn check_one_row(&self, rows: &[usize], vectors: &Vectors) -> Result<()> {
        let (first, rest) = (rows[0], &rows[1..]);
        let id = || match &self.taken[first].id {
            Some(Id::Number(number)) => number.to_string(),
            Some(Id::Text(text)) => format!("'{text}'"),
            None => "NULL".to_string(),
        };
        if rest.iter().any(|&row| vectors.compare(first, row).is_ne()) {
            return exec_err!(
                "{NAME}: id {} has different vectors; an id stands for one row",
                id()
            );
        }
        let differs = |prior: &Option<Id>| prior.is_some() && *prior != self.taken[first].prior;
        if rest.iter().any(|&row| differs(&self.taken[row].prior)) {
            return exec_err!(
                "{NAME}: id {} has two prior clusters; an id stands for one row",
                id()
            );
        }
        Ok(())
    }

    /// The prior clusters, in the order of their ids.
    fn known(&self) -> Vec<&Id> {
        let rows = self.taken.iter().chain(&self.refused);
        let known: BTreeSet<&Id> = rows.filter_map(|row| row.prior.as_ref()).collect();
        known.into_iter().collect()
    }

    fn assigned(&self, vectors: &Vectors) -> Result<Vec<ResultRow>> {
        let order = self.sorted(vectors)?;
        let rows: Vec<&Ids> = order.iter().map(|&row| &self.taken[row]).collect();
        let known = self.known();
        let number = |row: &&Ids| known.binary_search(&prior_of(row, &known)?).ok();
        let priors: Vec<Option<usize>> = rows.iter().map(number).collect();
        let clustering = self.options.check()?;
        let assigned = clustering.fit(&vectors.select(&order), &priors)?;
        let cluster = |assigned: &Assigned| match assigned.cluster {
            Cluster::Prior(number) => Some(known[number].clone()),
            Cluster::New(founder) => rows[founder].id.clone(),
        };
        let row = |(row, assigned): (&&Ids, &Assigned)| ResultRow {
            id: row.id.clone(),
            cluster: cluster(assigned),
            is_representative: assigned.is_representative,
            distance: Some(assigned.distance),
        };
        Ok(rows.iter().zip(&assigned).map(row).collect())
    }

    /// The rows that could not be clustered, each once. They keep their prior clusters.
    fn not_clustered(&self) -> Vec<ResultRow> {
        let known = self.known();
        let refused: BTreeSet<&Ids> = self.refused.iter().collect();
        let row = |row: &Ids| ResultRow {
            id: row.id.clone(),
            cluster: prior_of(row, &known).cloned(),
            is_representative: false,
            distance: None,
        };
        refused.into_iter().map(row).collect()
    }
}

/// The prior cluster of a row. A row whose id is that of a prior cluster belongs to it, even if it
/// comes without one.
fn prior_of<'a>(row: &'a Ids, known: &[&Id]) -> Option<&'a Id> {
    let own = row.id.as_ref().filter(|id| known.binary_search(id).is_ok());
    row.prior.as_ref().or(own)
}

impl Fold for FitRows {
    fn update(&mut self, required: &[ArrayRef], optional: &[Option<&ArrayRef>]) -> Result<()> {
        let ids = read_ids(NAME, &required[0])?;
        let priors = match optional[0] {
            Some(priors) => read_ids(NAME, priors)?,
            None => vec![None; ids.len()],
        };
        let vectors = VectorColumn::try_new(&required[1])?;
        for (row, (id, prior)) in ids.into_iter().zip(priors).enumerate() {
            self.add(Ids { id, prior }, vectors.get(row))?;
        }
        Ok(())
    }

    fn state(&self) -> Result<Vec<u8>> {
        let all = || self.taken.iter().chain(&self.refused);
        let n_vectors = self.taken.len();
        let (mut indices, mut values) = (
            ListBuilder::new(UInt32Builder::new()),
            ListBuilder::new(Float32Builder::new()),
        );
        for row in self.vectors.iter().flat_map(Vectors::rows) {
            indices.append_value(row.indices.iter().copied().map(Some));
            values.append_value(row.values.iter().copied().map(Some));
        }
        for _ in &self.refused {
            indices.append_null();
            values.append_null();
        }
        let columns: [(&str, ArrayRef); 4] = [
            (
                "id",
                id_column(all().map(|row| row.id.as_ref()), &self.id_type),
            ),
            (
                "prior",
                id_column(all().map(|row| row.prior.as_ref()), &self.id_type),
            ),
            ("indices", Arc::new(indices.finish())),
            ("values", Arc::new(values.finish())),
        ];
        let dimensions = self.vectors.as_ref().map_or(0, Vectors::dimensions);
        let metadata = [
            ("dimensions", dimensions.to_string()),
            ("n_vectors", n_vectors.to_string()),
        ];
        write_model(STATE, &metadata, &RecordBatch::try_from_iter(columns)?)
    }

    fn merge(&mut self, state: &[u8]) -> Result<()> {
        let table = read_model(NAME, STATE, state)?;
        let number = |key: &str| -> usize {
            let schema = table.schema();
            let value = schema
                .metadata()
                .get(key)
                .and_then(|text| text.parse().ok());
            value.unwrap_or_default()
        };
        let ids = read_ids(NAME, model_column(&table, "id")?)?;
        let priors = read_ids(NAME, model_column(&table, "prior")?)?;
        let (Some(indices), Some(values)) = (
            model_column(&table, "indices")?.as_list_opt::<i32>(),
            model_column(&table, "values")?.as_list_opt::<i32>(),
        ) else {
            return exec_err!("{NAME}: the state of a partition has other columns than it should");
        };
        let (dimensions, n_vectors) = (number("dimensions"), number("n_vectors"));
        for (row, (id, prior)) in ids.into_iter().zip(priors).enumerate() {
            if row >= n_vectors {
                self.refused.push(Ids { id, prior });
                continue;
            }
            let (indices, values) = (indices.value(row), values.value(row));
            let indices = indices.as_primitive::<UInt32Type>().values();
            let values = values.as_primitive::<Float32Type>().values();
            let entries = indices.iter().copied().zip(values.iter().copied());
            self.vectors_of(dimensions)?.push_entries(entries);
            self.taken.push(Ids { id, prior });
        }
        Ok(())
    }

    fn finish(&self) -> Result<ScalarValue> {
        let mut rows = match &self.vectors {
            Some(vectors) => self.assigned(vectors)?,
            None => vec![],
        };
        rows.extend(self.not_clustered());
        let columns: Vec<ArrayRef> = vec![
            id_column(rows.iter().map(|row| row.id.as_ref()), &self.id_type),
            id_column(rows.iter().map(|row| row.cluster.as_ref()), &self.id_type),
            Arc::new(BooleanArray::from_iter(
                rows.iter().map(|row| Some(row.is_representative)),
            )),
            Arc::new(Float32Array::from_iter(rows.iter().map(|row| row.distance))),
        ];
        let values = StructArray::try_new(assigned_fields(&self.id_type), columns, None)?;
        let item = item(&self.id_type);
        let list = list_of(item, Arc::new(values), &[rows.len()], None)?;
        Ok(ScalarValue::List(Arc::new(list)))
    }

    fn memory_bytes(&self) -> usize {
        let ids = self.taken.iter().chain(&self.refused);
        let texts: usize = ids.map(|ids| ids.text_bytes()).sum();
        let slots = self.taken.capacity() + self.refused.capacity();
        let vectors = self.vectors.as_ref().map_or(0, Vectors::memory_bytes);
        slots * size_of::<Ids>() + texts + vectors
    }
}

/// A row of the result.
#[derive(Debug)]
struct ResultRow {
    id: Option<Id>,
    cluster: Option<Id>,
    is_representative: bool,
    distance: Option<f32>,
}
