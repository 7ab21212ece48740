//! `cluster_keywords(cluster_id, text [, options])`: finds the words that tell clusters apart.

use std::collections::BTreeMap;
use std::sync::Arc;

use datafusion::arrow::array::{
    Array, ArrayRef, AsArray, StringArray, StringViewBuilder, StructArray, UInt64Array,
};
use datafusion::arrow::datatypes::{DataType, Field, FieldRef, Fields, UInt64Type};
use datafusion::arrow::record_batch::RecordBatch;
use datafusion::common::{Result, ScalarValue, exec_err};
use datafusion::logical_expr::{ColumnarValue, Documentation};
use datafusion_macros::user_doc;

use crate::algorithms::cluster::{DEFAULT_MAX_KEYWORDS, KeywordCounts};
use crate::algorithms::text::template_hash;
use crate::functions::call::aggregate::{Aggregate, Fold};
use crate::functions::call::lists::list_of;
use crate::functions::call::models::{ModelKind, model_column, read_model, write_model};
use crate::functions::call::options::CallOptions;
use crate::functions::call::parameters::{ArgumentPlaces, Parameters, Takes};
use crate::functions::call::words::{WordColumn, WordOptions, read_words};
use crate::functions::cluster::ids::{Id, id_column, id_type, read_ids};
use crate::functions::cluster::tfidf_fit::WORD_DEFAULTS;

const NAME: &str = "cluster_keywords";

/// The counts of one partition of a query.
const STATE: ModelKind = ModelKind {
    name: "cluster_keywords_state",
    version: 1,
};

#[user_doc(
    doc_section(label = "Cluster Functions"),
    description = "Finds the words that tell each cluster from the others: those that more of its texts have than of the others, by Dunning's log-likelihood ratio (1993), the strongest first. Failure concepts \
(`#disk`) are among them, so that one sees why texts without a common word are together. A word of all clusters is a keyword only where nothing else is left. Returns a list with an element for each cluster, in the order of the ids. Rows with a NULL cluster or text do not count. Memory grows with the distinct pairs of word and cluster.",
    syntax_example = "cluster_keywords(cluster_id, text [, options])",
    sql_example = r#"```sql
> SELECT k['cluster_id'] AS cluster_id, k['keywords'] AS keywords FROM (SELECT unnest(cluster_keywords(c, t, 'max_keywords=3')) AS k
FROM (VALUES (1, 'No space left on device'), (1, '磁盘已满'), (2, 'login of <*> timed out'), (2, 'login failed')) AS r(c, t));
+------------+---------------------------------+
| cluster_id | keywords                        |
+------------+---------------------------------+
| 1          | [#disk, #exhausted, device]     |
| 2          | [#credentials, login, #invalid] |
+------------+---------------------------------+
```"#,
    argument(
        name = "cluster_id",
        description = "The cluster of the text: a whole number or text"
    ),
    argument(
        name = "text",
        description = "A template or any text; or a list of words, which are taken as they are"
    ),
    argument(
        name = "options",
        description = "Constant. `max_keywords=5`; as in `tfidf_fit`, and to be given again where they were given there: `concepts`, `phrases`, `stop_words`, `case`, `min_len`, `numbers`"
    )
)]
#[derive(Debug, Default)]
pub(crate) struct ClusterKeywords;

/// The checked options.
#[derive(Debug)]
pub(crate) struct KeywordOptions {
    words: WordOptions,
    max_keywords: usize,
}

impl Aggregate for ClusterKeywords {
    const PARAMETERS: Parameters = Parameters {
        function: NAME,
        required: &[("cluster_id", Takes::Id), ("text", Takes::TextOrWords)],
        optional: &[],
        has_options: true,
    };

    type Options = KeywordOptions;

    fn documentation(&self) -> Option<&Documentation> {
        self.doc()
    }

    fn read_options(options: &mut CallOptions) -> Result<KeywordOptions> {
        let max_keywords = options.take_number("max_keywords", 1)?;
        Ok(KeywordOptions {
            words: read_words(options, WORD_DEFAULTS)?,
            max_keywords: max_keywords.unwrap_or(DEFAULT_MAX_KEYWORDS),
        })
    }

    fn return_type(types: &[DataType]) -> DataType {
        DataType::List(item(&id_type(&types[0])))
    }

    fn fold(
        options: &Arc<KeywordOptions>,
        types: &[DataType],
        _: &ArgumentPlaces,
    ) -> Result<Box<dyn Fold>> {
        Ok(Box::new(KeywordDocuments {
            options: Arc::clone(options),
            id_type: id_type(&types[0]),
            counts: KeywordCounts::default(),
            ids: BTreeMap::new(),
        }))
    }
}

fn words_item() -> FieldRef {
    Arc::new(Field::new_list_field(DataType::Utf8View, true))
}

fn cluster_fields(id_type: &DataType) -> Fields {
    Fields::from(vec![
        Field::new("cluster_id", id_type.clone(), false),
        Field::new("keywords", DataType::List(words_item()), false),
    ])
}

fn item(id_type: &DataType) -> FieldRef {
    Arc::new(Field::new_list_field(
        DataType::Struct(cluster_fields(id_type)),
        true,
    ))
}

/// The texts seen so far.
#[derive(Debug)]
struct KeywordDocuments {
    options: Arc<KeywordOptions>,
    id_type: DataType,
    counts: KeywordCounts,
    /// The ids of the clusters by the numbers under which they are counted.
    ids: BTreeMap<i64, Id>,
}

/// The number under which a cluster is counted: its id, or the hash of a text.
fn number_of(id: &Id) -> i64 {
    match id {
        Id::Number(number) => *number,
        Id::Text(text) => template_hash(text),
    }
}

impl KeywordDocuments {
    fn add_cluster(&mut self, id: &Id) -> i64 {
        let number = number_of(id);
        self.ids.entry(number).or_insert_with(|| id.clone());
        number
    }
}

impl Fold for KeywordDocuments {
    fn update(&mut self, required: &[ArrayRef], _: &[Option<&ArrayRef>]) -> Result<()> {
        let ids = read_ids(NAME, &required[0])?;
        let texts = ColumnarValue::Array(Arc::clone(&required[1]));
        let column = WordColumn::try_new(&texts, ids.len())?;
        let options = Arc::clone(&self.options);
        column.for_each(
            |_| Some(&options.words.tokenizer),
            |row, words| {
                if let (Some(id), Some(words)) = (&ids[row], words) {
                    let cluster = self.add_cluster(id);
                    self.counts.add(cluster, words.iter().copied());
                }
            },
        )
    }

    /// The state has a row for each word of a cluster, and one without a word for the number of its
    /// texts.
    fn state(&self) -> Result<Vec<u8>> {
        let documents = self
            .counts
            .documents()
            .map(|(cluster, count)| (cluster, None, count));
        let words = self
            .counts
            .words()
            .map(|(cluster, word, count)| (cluster, Some(word), count));
        let mut rows: Vec<_> = documents.chain(words).collect();
        rows.sort_unstable();
        let ids = rows.iter().map(|row| self.ids.get(&row.0));
        let columns: [(&str, ArrayRef); 3] = [
            ("cluster_id", id_column(ids, &self.id_type)),
            (
                "word",
                Arc::new(rows.iter().map(|row| row.1).collect::<StringArray>()),
            ),
            (
                "count",
                Arc::new(rows.iter().map(|row| Some(row.2)).collect::<UInt64Array>()),
            ),
        ];
        write_model(STATE, &[], &RecordBatch::try_from_iter(columns)?)
    }

    fn merge(&mut self, state: &[u8]) -> Result<()> {
        let table = read_model(NAME, STATE, state)?;
        let ids = read_ids(NAME, model_column(&table, "cluster_id")?)?;
        let words = model_column(&table, "word")?.as_string_opt::<i32>();
        let counts = model_column(&table, "count")?.as_primitive_opt::<UInt64Type>();
        let (Some(words), Some(counts)) = (words, counts) else {
            return exec_err!("{NAME}: the state of a partition has other columns than it should");
        };
        for ((id, word), &count) in ids.iter().zip(words).zip(counts.values()) {
            let Some(id) = id else {
                continue;
            };
            let cluster = self.add_cluster(id);
            match word {
                Some(word) => self.counts.add_word(cluster, word, count),
                None => self.counts.add_documents(cluster, count),
            }
        }
        Ok(())
    }

    fn finish(&self) -> Result<ScalarValue> {
        let found = self.counts.keywords(self.options.max_keywords);
        let named = found
            .iter()
            .filter_map(|(number, words)| Some((self.ids.get(number)?, words)));
        let found: BTreeMap<&Id, &Vec<&str>> = named.collect();
        let mut words = StringViewBuilder::new();
        for word in found.values().copied().flatten() {
            words.append_value(word);
        }
        let lengths: Vec<usize> = found.values().map(|words| words.len()).collect();
        let keywords = list_of(words_item(), Arc::new(words.finish()), &lengths, None)?;
        let ids = id_column(found.keys().map(|id| Some(*id)), &self.id_type);
        let clusters = StructArray::try_new(
            cluster_fields(&self.id_type),
            vec![ids, Arc::new(keywords)],
            None,
        )?;
        let n_clusters = clusters.len();
        let list = list_of(item(&self.id_type), Arc::new(clusters), &[n_clusters], None)?;
        Ok(ScalarValue::List(Arc::new(list)))
    }

    fn memory_bytes(&self) -> usize {
        self.counts.memory_bytes() + self.ids.len() * size_of::<(i64, Id)>()
    }
}
