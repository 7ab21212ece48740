//! `log_templates(model)`: the contents of a model of `log_mine`.

use std::sync::Arc;

use datafusion::arrow::array::{Int64Builder, StringViewBuilder, StructArray};
use datafusion::arrow::datatypes::{DataType, Field, FieldRef, Fields};
use datafusion::common::Result;
use datafusion::logical_expr::{ColumnarValue, Documentation};
use datafusion_macros::user_doc;

use crate::algorithms::text::template_hash;
use crate::functions::call::lists::list_of;
use crate::functions::call::models::Models;
use crate::functions::call::options::CallOptions;
use crate::functions::call::parameters::{Parameters, Takes};
use crate::functions::call::scalar::{BatchArguments, Scalar};
use crate::functions::log::mined_model::{MinedTemplate, mined_templates};

const NAME: &str = "log_templates";

#[user_doc(
    doc_section(label = "Log Functions"),
    description = "Lists the templates of a model of `log_mine`: the commonest first, then in the order of bytes, each with its hash, the number of lines it was \
mined from, and the shortest of them as an example (cut after 4096 bytes). NULL for NULL.",
    syntax_example = "log_templates(model)",
    sql_example = r#"```sql
> WITH lines(message) AS (VALUES ('user 17 logged in'), ('user root logged in'), ('disk full')), mined AS (SELECT log_templates(log_mine(message)) AS found FROM lines)
SELECT t['template'] AS template, t['count'] AS count, t['example'] AS example FROM (SELECT unnest(found) AS t FROM mined);
+--------------------+-------+-------------------+
| template           | count | example           |
+--------------------+-------+-------------------+
| user <*> logged in | 2     | user 17 logged in |
| disk full          | 1     | disk full         |
+--------------------+-------+-------------------+
```"#,
    argument(name = "model", description = "A model of `log_mine`")
)]
#[derive(Debug, Default)]
pub(crate) struct LogTemplates {
    models: Models<Vec<MinedTemplate>>,
}

fn template_fields() -> Fields {
    Fields::from(vec![
        Field::new("template", DataType::Utf8View, false),
        Field::new("template_hash", DataType::Int64, false),
        Field::new("count", DataType::Int64, false),
        Field::new("example", DataType::Utf8View, false),
    ])
}

fn item() -> FieldRef {
    Arc::new(Field::new_list_field(
        DataType::Struct(template_fields()),
        true,
    ))
}

impl Scalar for LogTemplates {
    const PARAMETERS: Parameters = Parameters {
        function: NAME,
        required: &[("model", Takes::Model("log_mine"))],
        optional: &[],
        has_options: false,
    };

    type Options = ();

    fn documentation(&self) -> Option<&Documentation> {
        self.doc()
    }

    fn read_options(_: &mut CallOptions) -> Result<()> {
        Ok(())
    }

    fn return_type(&self, _: &[DataType]) -> DataType {
        DataType::List(item())
    }

    fn call(&self, arguments: &BatchArguments<'_>, _: &()) -> Result<ColumnarValue> {
        let decode = |bytes: &[u8]| mined_templates(NAME, bytes);
        let models = self.models.read(arguments.required(0), decode)?;
        let (mut templates, mut examples) = (StringViewBuilder::new(), StringViewBuilder::new());
        let (mut hashes, mut counts) = (Int64Builder::new(), Int64Builder::new());
        let rows = 0..arguments.n_rows;
        let of_rows: Vec<Option<usize>> = rows.map(|row| models.of_row(row)).collect();
        let mut lengths = Vec::with_capacity(of_rows.len());
        for number in &of_rows {
            let found = number.map(|number| models.distinct[number].as_slice());
            for mined in found.unwrap_or_default() {
                templates.append_value(&mined.template);
                hashes.append_value(template_hash(&mined.template));
                counts.append_value(i64::try_from(mined.count).unwrap_or(i64::MAX));
                examples.append_value(&mined.example);
            }
            lengths.push(found.map_or(0, <[_]>::len));
        }
        let values = StructArray::try_new(
            template_fields(),
            vec![
                Arc::new(templates.finish()),
                Arc::new(hashes.finish()),
                Arc::new(counts.finish()),
                Arc::new(examples.finish()),
            ],
            None,
        )?;
        let nulls = of_rows.iter().map(Option::is_some).collect();
        let lists = list_of(item(), Arc::new(values), &lengths, Some(nulls))?;
        Ok(ColumnarValue::Array(Arc::new(lists)))
    }
}
