//! Every value of every type comes back as it was.

use std::sync::Arc;

use datafusion::arrow::array::{
    ArrayRef, BinaryViewArray, BooleanArray, Date32Array, DictionaryArray, Float32Array,
    Float64Array, Int8Array, Int16Array, Int32Array, Int64Array, LargeStringArray, ListArray,
    RecordBatch, StringArray, TimestampMicrosecondArray, TimestampMillisecondArray,
    TimestampNanosecondArray, TimestampSecondArray, UInt32Array, UInt64Array,
};
use datafusion::arrow::compute::{cast, concat_batches};
use datafusion::arrow::datatypes::{DataType, Float64Type, Int32Type, Int64Type};
use datafusion::prelude::SessionConfig;
use proptest::collection::vec;
use proptest::option::of;
use proptest::prelude::*;
use tokio::runtime::Runtime;

use super::Fixture;

const COLUMNS: &str = "(t TEXT, lt TEXT, dt TEXT, i8 TINYINT, i16 SMALLINT, i32 INT, i64 BIGINT, u32 INT UNSIGNED, \
    u64 BIGINT UNSIGNED, f32 FLOAT, f64 DOUBLE, ok BOOLEAN, s TIMESTAMP(0), ms TIMESTAMP(3), us TIMESTAMP(6), \
    ns TIMESTAMP, z TIMESTAMP WITH TIME ZONE, day DATE, bin BYTEA, li BIGINT[], lf DOUBLE[], lt2 TEXT[])";

/// Floats without NaN, which is not stored, and -0.0, which SQLite stores as 0.0.
fn float() -> impl Strategy<Value = f64> {
    let floats = any::<f64>().prop_filter("NaN", |value| !value.is_nan());
    // The smallest numbers of 64 bits are zero in 32.
    floats.prop_map(|value| if value.abs() < 1e-40 { 0.0 } else { value })
}

fn rows() -> impl Strategy<Value = Vec<ArrayRef>> {
    // From the year 0 to the year 9999.
    let seconds = -62_167_219_200_i64..253_402_300_800;
    (0_usize..9).prop_flat_map(move |n| {
        let texts = vec(of(any::<String>()), n);
        let integers = vec(of(any::<i64>()), n);
        let lists = vec(of(vec(of(any::<i64>()), 0..4)), n);
        let float_lists = vec(
            of(vec(of(prop_oneof![float(), Just(f64::INFINITY)]), 0..4)),
            n,
        );
        let text_lists = vec(of(vec(of(any::<String>()), 0..3)), n);
        (
            texts,
            integers,
            vec(of(prop_oneof![float(), Just(f64::INFINITY)]), n),
            vec(of(any::<bool>()), n),
            vec(of(seconds.clone()), n),
            vec(of(vec(any::<u8>(), 0..9)), n),
            lists,
            float_lists,
            text_lists,
        )
            .prop_map(
                |(
                    texts,
                    integers,
                    floats,
                    flags,
                    seconds,
                    bytes,
                    lists,
                    float_lists,
                    text_lists,
                )| {
                    let text = StringArray::from(texts.clone());
                    let dictionary: DictionaryArray<Int32Type> =
                        texts.iter().map(Option::as_deref).collect();
                    let scaled = |factor: i64| {
                        let seconds = seconds.iter().zip(&integers);
                        let scaled = seconds.map(|(second, digits)| {
                            second.map(|second| {
                                second * factor + digits.unwrap_or(0).rem_euclid(factor)
                            })
                        });
                        scaled.collect::<Vec<_>>()
                    };
                    let list_texts = text_lists.iter().map(|list| list.as_ref());
                    let mut builder = datafusion::arrow::array::ListBuilder::new(
                        datafusion::arrow::array::StringBuilder::new(),
                    );
                    for list in list_texts {
                        match list {
                            Some(list) => builder.append_value(list.iter().cloned()),
                            None => builder.append_null(),
                        }
                    }
                    #[expect(clippy::cast_possible_truncation, reason = "any value will do")]
                    let columns: Vec<ArrayRef> = std::vec![
                        Arc::new(text),
                        Arc::new(LargeStringArray::from(texts.clone())),
                        Arc::new(dictionary),
                        Arc::new(
                            integers
                                .iter()
                                .map(|v| v.map(|v| v as i8))
                                .collect::<Int8Array>()
                        ),
                        Arc::new(
                            integers
                                .iter()
                                .map(|v| v.map(|v| v as i16))
                                .collect::<Int16Array>()
                        ),
                        Arc::new(
                            integers
                                .iter()
                                .map(|v| v.map(|v| v as i32))
                                .collect::<Int32Array>()
                        ),
                        Arc::new(Int64Array::from(integers.clone())),
                        Arc::new(
                            integers
                                .iter()
                                .map(|v| v.map(|v| v as u32))
                                .collect::<UInt32Array>()
                        ),
                        Arc::new(
                            integers
                                .iter()
                                .map(|v| v.map(|v| (v as u64) >> 1))
                                .collect::<UInt64Array>()
                        ),
                        Arc::new(
                            floats
                                .iter()
                                .map(|v| v.map(|v| v as f32))
                                .collect::<Float32Array>()
                        ),
                        Arc::new(Float64Array::from(floats.clone())),
                        Arc::new(BooleanArray::from(flags)),
                        Arc::new(TimestampSecondArray::from(seconds.clone())),
                        Arc::new(TimestampMillisecondArray::from(scaled(1_000))),
                        Arc::new(TimestampMicrosecondArray::from(scaled(1_000_000))),
                        Arc::new(TimestampNanosecondArray::from(integers.clone())),
                        Arc::new(
                            TimestampNanosecondArray::from(integers.clone())
                                .with_timezone("+00:00")
                        ),
                        Arc::new(
                            seconds
                                .iter()
                                .map(|v| v.map(|v| (v / 86_400) as i32))
                                .collect::<Date32Array>()
                        ),
                        Arc::new(
                            bytes
                                .iter()
                                .map(|v| v.as_deref())
                                .collect::<BinaryViewArray>()
                        ),
                        Arc::new(ListArray::from_iter_primitive::<Int64Type, _, _>(lists)),
                        Arc::new(ListArray::from_iter_primitive::<Float64Type, _, _>(
                            float_lists
                        )),
                        Arc::new(builder.finish()),
                    ];
                    columns
                },
            )
    })
}

async fn round_trip(columns: Vec<ArrayRef>) {
    for batch_size in [3, 8192] {
        // Several partitions would change the order of rows.
        let config = SessionConfig::new().with_batch_size(batch_size);
        let fixture = Fixture::with(config.with_target_partitions(1));
        fixture.create("t", COLUMNS, "").await.unwrap();
        let names = ('a'..='z').map(|name| name.to_string());
        let batch = RecordBatch::try_from_iter_with_nullable(
            names
                .zip(&columns)
                .map(|(name, column)| (name, Arc::clone(column), true)),
        )
        .unwrap();
        fixture
            .context
            .register_batch("rows", batch.clone())
            .unwrap();
        let n_rows = fixture.rows("INSERT INTO t SELECT * FROM rows").await;
        assert_eq!(n_rows, [batch.num_rows().to_string()]);
        let table = fixture.context.table("t").await.unwrap();
        let schema = Arc::clone(table.schema().inner());
        let read = concat_batches(&schema, &table.collect().await.unwrap()).unwrap();
        for (column, (field, written)) in read
            .columns()
            .iter()
            .zip(schema.fields().iter().zip(&columns))
        {
            let written = cast(written, field.data_type()).unwrap();
            assert_eq!(column, &written, "{}", field.name());
        }
        // The file alone determines the types of its columns.
        fixture
            .create("u", "", "OPTIONS (table 't')")
            .await
            .unwrap();
        let found = fixture.context.table("u").await.unwrap();
        assert_eq!(found.schema().inner(), &schema);
        fixture.rows("CREATE TABLE again AS SELECT * FROM u").await;
        assert_eq!(
            fixture.rows("SELECT * FROM again").await,
            fixture.rows("SELECT * FROM t").await
        );
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    #[test]
    fn values_come_back(columns in rows()) {
        Runtime::new().unwrap().block_on(round_trip(columns));
    }
}

#[tokio::test]
async fn limits_of_what_can_be_stored() {
    let fixture = Fixture::new();
    fixture.create("t", COLUMNS, "").await.unwrap();
    for (insert, expected) in [
        (
            "INSERT INTO t (u64) VALUES (18446744073709551615)",
            "too large: the largest number in SQLite is 9223372036854775807",
        ),
        (
            "INSERT INTO t (s) SELECT arrow_cast(253402300800, 'Timestamp(Second, None)')",
            "outside the years 0 to 9999",
        ),
        (
            "INSERT INTO t (day) SELECT arrow_cast(arrow_cast(100000000, 'Int32'), 'Date32')",
            "outside the years 0 to 9999",
        ),
    ] {
        let error = fixture.error(insert).await;
        assert!(error.contains(expected), "{insert}: {error}");
    }
    fixture.rows("INSERT INTO t (f64, f32, i64, t, bin, lf) VALUES ('NaN', 'NaN', -9223372036854775808, '', X'', ['NaN'::DOUBLE, 'inf'::DOUBLE])").await;
    assert_eq!(
        fixture
            .rows("SELECT f64, f32, i64, t, bin, lf FROM t")
            .await,
        ["NULL|NULL|-9223372036854775808|||[NULL, inf]"]
    );
    assert_eq!(
        fixture
            .rows("SELECT count(*) FROM t WHERE i64 = -9223372036854775808 AND t = ''")
            .await,
        ["1"]
    );
    let types: String = fixture
        .sqlite()
        .query_row(
            "SELECT typeof(i64) || typeof(f64) || typeof(t) || typeof(bin) || lf FROM t",
            [],
            |row| row.get(0),
        )
        .unwrap();
    assert_eq!(types, "integernulltextblob[null,\"Infinity\"]");
    let types = fixture.context.table("t").await.unwrap();
    assert_eq!(types.schema().field(18).data_type(), &DataType::Binary);
}
