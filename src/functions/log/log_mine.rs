//! `log_mine(message [, options])`: templates mined from many lines, as a model.

use std::sync::Arc;

use datafusion::arrow::array::ArrayRef;
use datafusion::arrow::datatypes::DataType;
use datafusion::common::{Result, ScalarValue, plan_datafusion_err};
use datafusion::logical_expr::Documentation;
use datafusion_macros::user_doc;

use crate::algorithms::text::{MaskOptions, Masker, TemplateTally};
use crate::functions::call::aggregate::{Aggregate, Fold};
use crate::functions::call::options::CallOptions;
use crate::functions::call::parameters::{ArgumentPlaces, Parameters, Takes};
use crate::functions::call::texts::each_text;
use crate::functions::log::mined_model::{merge_state, write_mined, write_state};
use crate::functions::log::read_mask_options;

const NAME: &str = "log_mine";
/// Far more than the log statements of a large system (Linux and all of its daemons have a few
/// thousand), and few enough for a model of some tens of megabytes.
const MAX_TEMPLATES: usize = 100_000;

#[user_doc(
    doc_section(label = "Log Functions"),
    description = "Mines templates from log lines: variables that masking cannot see in one line (user and host names, states) are found because \
lines differ in them. Returns a model, a `BinaryView` to give to `log_match` and `log_templates`, or to store. The model depends on the lines alone, not on their order or on how \
the query was divided. NULL messages do not count; of no lines at all the model is empty and matches nothing. Memory grows with the distinct masked templates; when they are more than `max_templates`, all are cut behind \
their first 16 words, then 8, 4, 2, 1, and `log_match` cuts in the same way: no line is lost. Of a template 16 KiB are kept, and one of more than 256 pieces is not mined.",
    syntax_example = "log_mine(message [, options])",
    sql_example = r#"```sql
> WITH lines(message) AS (VALUES ('mount of volume 17 failed'), ('mount of volume 4 failed'), ('mount of volume home failed'))
SELECT log_match('mount of volume backup failed', (SELECT log_mine(message) FROM lines))['template'] AS template;
+----------------------------+
| template                   |
+----------------------------+
| mount of volume <*> failed |
+----------------------------+
```"#,
    argument(name = "message", description = "The log lines: any text type"),
    argument(
        name = "options",
        description = "Constant. `profile`, `quotes`, `keep`, `mask`, `max_len` as in `log_template`; `max_templates=100000`: distinct masked templates to keep"
    )
)]
#[derive(Debug, Default)]
pub(crate) struct LogMine;

/// The checked options.
#[derive(Debug)]
pub(crate) struct MineOptions {
    mask: MaskOptions,
    masker: Masker,
    max_templates: usize,
}

impl Aggregate for LogMine {
    const PARAMETERS: Parameters = Parameters {
        function: NAME,
        required: &[("message", Takes::Text)],
        optional: &[],
        has_options: true,
    };

    type Options = MineOptions;

    fn documentation(&self) -> Option<&Documentation> {
        self.doc()
    }

    fn read_options(options: &mut CallOptions) -> Result<MineOptions> {
        let mask = read_mask_options(options)?;
        let masker = Masker::new(&mask).map_err(|error| plan_datafusion_err!("{NAME}: {error}"))?;
        let max_templates = options.take_number("max_templates", 1)?;
        Ok(MineOptions {
            mask,
            masker,
            max_templates: max_templates.unwrap_or(MAX_TEMPLATES),
        })
    }

    fn return_type(_: &[DataType]) -> DataType {
        DataType::BinaryView
    }

    fn fold(
        options: &Arc<MineOptions>,
        _: &[DataType],
        _: &ArgumentPlaces,
    ) -> Result<Box<dyn Fold>> {
        Ok(Box::new(Lines {
            options: Arc::clone(options),
            tally: TemplateTally::new(options.max_templates),
        }))
    }
}

/// The lines seen so far.
#[derive(Debug)]
struct Lines {
    options: Arc<MineOptions>,
    tally: TemplateTally,
}

impl Fold for Lines {
    fn update(&mut self, required: &[ArrayRef], _: &[Option<&ArrayRef>]) -> Result<()> {
        let masker = &self.options.masker;
        let (mut masking, mut masked) = (masker.space(), String::new());
        each_text(&required[0], |message| {
            masked.clear();
            masker.mask(message, &mut masking);
            masker.write_template(message, &masking, &mut masked);
            self.tally.add(&masked, message);
        })
    }

    fn state(&self) -> Result<Vec<u8>> {
        write_state(&self.tally, &self.options.mask)
    }

    fn merge(&mut self, state: &[u8]) -> Result<()> {
        merge_state(NAME, state, &mut self.tally)
    }

    fn finish(&self) -> Result<ScalarValue> {
        let model = write_mined(&self.tally, &self.options.mask)?;
        Ok(ScalarValue::BinaryView(Some(model)))
    }

    fn memory_bytes(&self) -> usize {
        self.tally.memory_bytes()
    }
}
