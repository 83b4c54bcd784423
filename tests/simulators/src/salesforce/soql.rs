//! Queries: a subset of SOQL that holds what loaders ask (Salesforce facts §7).
//!
//! `SELECT` of fields, parents' fields, `COUNT()`, `FIELDS(ALL)` and children; aggregates with `GROUP BY`; `WHERE` with
//! `= != < <= > >= LIKE IN NOT IN INCLUDES EXCLUDES`, `AND`, `OR`, `NOT` and semi-joins; `ORDER BY`, `LIMIT`, `OFFSET`. What
//! the vendor refuses (unknown or invisible fields, long texts in a filter, quoted times) is refused in its words.

use std::cmp::Ordering;
use std::collections::BTreeMap;

use chrono::{DateTime, Duration, NaiveDate, Utc};
use serde_json::{Map, Value, json};

use super::answer::RowError;
use super::ids;
use super::schema::{Field, Kind, Object};
use super::state::{Access, Row, State};
use super::values;

/// A query that was read.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Query {
    columns: Vec<Column>,
    from: String,
    condition: Option<Condition>,
    group: Vec<Vec<String>>,
    order: Vec<Order>,
    limit: Option<usize>,
    offset: usize,
}

#[derive(Debug, Clone, PartialEq)]
enum Column {
    Field(Vec<String>),
    All,
    Count,
    Aggregate {
        function: String,
        path: Vec<String>,
        alias: Option<String>,
    },
    Children(Box<Query>),
}

#[derive(Debug, Clone, PartialEq)]
enum Condition {
    All(Vec<Condition>),
    Any(Vec<Condition>),
    Not(Box<Condition>),
    Compare {
        path: Vec<String>,
        operator: Operator,
        value: Literal,
    },
    In {
        path: Vec<String>,
        not: bool,
        values: Vec<Literal>,
    },
    Within {
        path: Vec<String>,
        not: bool,
        query: Box<Query>,
    },
    Has {
        path: Vec<String>,
        not: bool,
        values: Vec<Literal>,
    },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Operator {
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
    Like,
}

#[derive(Debug, Clone, PartialEq)]
enum Literal {
    Text(String),
    Number(f64),
    Bool(bool),
    Null,
    Moment(DateTime<Utc>),
    Day(NaiveDate),
    /// `TODAY`, `LAST_N_DAYS:3`: first and last day.
    Days(NaiveDate, NaiveDate),
}

#[derive(Debug, Clone, PartialEq)]
struct Order {
    path: Vec<String>,
    descending: bool,
    nulls_last: bool,
}

// ---- reading

#[derive(Debug, Clone, PartialEq)]
enum Token {
    Word(String),
    Text(String),
    Sign(&'static str),
}

fn malformed(text: impl Into<String>) -> RowError {
    RowError::new("MALFORMED_QUERY", text)
}

fn tokens(text: &str) -> Result<Vec<Token>, RowError> {
    const SIGNS: [&str; 10] = ["!=", "<>", "<=", ">=", "=", "<", ">", "(", ")", ","];
    let mut out = Vec::new();
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        if first.is_whitespace() {
            rest = rest.trim_start();
        } else if first == '\'' {
            let (value, after) = quoted(rest)?;
            out.push(Token::Text(value));
            rest = after;
        } else if let Some(sign) = SIGNS.iter().find(|sign| rest.starts_with(**sign)) {
            out.push(Token::Sign(sign));
            rest = rest.get(sign.len()..).unwrap_or_default();
        } else {
            let in_word = |c: char| c.is_alphanumeric() || "._:+-".contains(c);
            let end = rest.find(|c| !in_word(c)).unwrap_or(rest.len());
            if end == 0 {
                return Err(malformed(format!("unexpected token: '{first}'")));
            }
            let (word, after) = rest.split_at(end);
            out.push(Token::Word(word.to_owned()));
            rest = after;
        }
    }
    Ok(out)
}

/// The text in quotes at the beginning, and what follows it.
fn quoted(text: &str) -> Result<(String, &str), RowError> {
    let mut value = String::new();
    let mut letters = text.char_indices().skip(1);
    while let Some((at, letter)) = letters.next() {
        match letter {
            '\'' => return Ok((value, text.get(at + 1..).unwrap_or_default())),
            '\\' => match letters.next().map(|(_, letter)| letter) {
                Some('n' | 'N') => value.push('\n'),
                Some('r' | 'R') => value.push('\r'),
                Some('t' | 'T') => value.push('\t'),
                Some('b' | 'B') => value.push('\u{8}'),
                Some('f' | 'F') => value.push('\u{c}'),
                Some(letter @ ('\'' | '"' | '\\' | '%' | '_')) => {
                    // In LIKE these stand for themselves.
                    if letter == '%' || letter == '_' {
                        value.push('\\');
                    }
                    value.push(letter);
                }
                _ => {
                    return Err(malformed(
                        "Illegal string sequence. Legal sequences are: \\n, \\N, \\r, \\R, \\t, \\T, \\b, \\B, \\f, \\F, \\', \\\", \\\\, \\_, \\%",
                    ));
                }
            },
            other => value.push(other),
        }
    }
    Err(malformed(
        "expecting a quote at the end of a string literal",
    ))
}

struct Reader {
    tokens: Vec<Token>,
    at: usize,
    today: NaiveDate,
}

impl Reader {
    fn peek(&self) -> Option<&Token> {
        self.tokens.get(self.at)
    }

    fn is_word(&self, word: &str) -> bool {
        self.word_at(0, word)
    }

    fn word_at(&self, ahead: usize, word: &str) -> bool {
        matches!(self.tokens.get(self.at + ahead), Some(Token::Word(found)) if found.eq_ignore_ascii_case(word))
    }

    fn take_word(&mut self, word: &str) -> bool {
        let is = self.is_word(word);
        if is {
            self.at += 1;
        }
        is
    }

    fn take_sign(&mut self, sign: &str) -> bool {
        let is = matches!(self.peek(), Some(Token::Sign(found)) if *found == sign);
        if is {
            self.at += 1;
        }
        is
    }

    fn expect_sign(&mut self, sign: &str) -> Result<(), RowError> {
        if self.take_sign(sign) {
            Ok(())
        } else {
            Err(self.unexpected())
        }
    }

    fn expect_word(&mut self, word: &str) -> Result<(), RowError> {
        if self.take_word(word) {
            Ok(())
        } else {
            Err(self.unexpected())
        }
    }

    fn unexpected(&self) -> RowError {
        match self.peek() {
            Some(Token::Word(word)) => malformed(format!("unexpected token: '{word}'")),
            Some(Token::Text(text)) => malformed(format!("unexpected token: '{text}'")),
            Some(Token::Sign(sign)) => malformed(format!("unexpected token: '{sign}'")),
            None => malformed("unexpected token: '<EOF>'"),
        }
    }

    fn name(&mut self) -> Result<String, RowError> {
        match self.peek() {
            Some(Token::Word(word)) => {
                let word = word.clone();
                self.at += 1;
                Ok(word)
            }
            _ => Err(self.unexpected()),
        }
    }

    fn path(&mut self) -> Result<Vec<String>, RowError> {
        Ok(self.name()?.split('.').map(str::to_owned).collect())
    }

    fn query(&mut self) -> Result<Query, RowError> {
        self.expect_word("SELECT")?;
        let mut columns = vec![self.column()?];
        while self.take_sign(",") {
            columns.push(self.column()?);
        }
        self.expect_word("FROM")?;
        let from = self.name()?;
        let condition = if self.take_word("WHERE") {
            Some(self.condition()?)
        } else {
            None
        };
        let mut group = Vec::new();
        if self.take_word("GROUP") {
            self.expect_word("BY")?;
            group.push(self.path()?);
            while self.take_sign(",") {
                group.push(self.path()?);
            }
        }
        let mut order = Vec::new();
        if self.take_word("ORDER") {
            self.expect_word("BY")?;
            order.push(self.order()?);
            while self.take_sign(",") {
                order.push(self.order()?);
            }
        }
        let mut number = |word: &str| -> Result<Option<usize>, RowError> {
            if !self.take_word(word) {
                return Ok(None);
            }
            let text = self.name()?;
            text.parse()
                .map(Some)
                .map_err(|_| malformed(format!("{word} must be a number: {text}")))
        };
        let limit = number("LIMIT")?;
        let offset = number("OFFSET")?.unwrap_or(0);
        if offset > 2_000 {
            return Err(RowError::new(
                "NUMBER_OUTSIDE_VALID_RANGE",
                "Maximum SOQL offset allowed is 2000",
            ));
        }
        Ok(Query {
            columns,
            from,
            condition,
            group,
            order,
            limit,
            offset,
        })
    }

    fn order(&mut self) -> Result<Order, RowError> {
        let path = self.path()?;
        let descending = self.take_word("DESC") || {
            self.take_word("ASC");
            false
        };
        let mut nulls_last = descending;
        if self.take_word("NULLS") {
            nulls_last = self.take_word("LAST");
            if !nulls_last {
                self.expect_word("FIRST")?;
            }
        }
        Ok(Order {
            path,
            descending,
            nulls_last,
        })
    }

    fn column(&mut self) -> Result<Column, RowError> {
        if self.take_sign("(") {
            let query = self.query()?;
            self.expect_sign(")")?;
            return Ok(Column::Children(Box::new(query)));
        }
        let name = self.name()?;
        if !self.take_sign("(") {
            return Ok(Column::Field(name.split('.').map(str::to_owned).collect()));
        }
        if name.eq_ignore_ascii_case("FIELDS") {
            self.name()?;
            self.expect_sign(")")?;
            return Ok(Column::All);
        }
        if name.eq_ignore_ascii_case("COUNT") && self.take_sign(")") {
            return Ok(Column::Count);
        }
        let path = self.path()?;
        self.expect_sign(")")?;
        let next_is_name = !self.is_word("FROM") && matches!(self.peek(), Some(Token::Word(_)));
        let alias = if next_is_name {
            Some(self.name()?)
        } else {
            None
        };
        let function = name.to_uppercase();
        if !matches!(
            function.as_str(),
            "COUNT" | "COUNT_DISTINCT" | "MIN" | "MAX" | "SUM" | "AVG"
        ) {
            return Err(malformed(format!("unexpected token: '{name}'")));
        }
        Ok(Column::Aggregate {
            function,
            path,
            alias,
        })
    }

    fn condition(&mut self) -> Result<Condition, RowError> {
        let first = self.single()?;
        if self.is_word("AND") {
            let mut all = vec![first];
            while self.take_word("AND") {
                all.push(self.single()?);
            }
            if self.is_word("OR") {
                return Err(self.unexpected());
            }
            return Ok(Condition::All(all));
        }
        if self.is_word("OR") {
            let mut any = vec![first];
            while self.take_word("OR") {
                any.push(self.single()?);
            }
            if self.is_word("AND") {
                return Err(self.unexpected());
            }
            return Ok(Condition::Any(any));
        }
        Ok(first)
    }

    fn single(&mut self) -> Result<Condition, RowError> {
        if self.take_word("NOT") {
            return Ok(Condition::Not(Box::new(self.single()?)));
        }
        if self.take_sign("(") {
            let inner = self.condition()?;
            self.expect_sign(")")?;
            return Ok(inner);
        }
        let path = self.path()?;
        let not = self.is_word("NOT") && self.word_at(1, "IN");
        if not {
            self.at += 1;
        }
        if self.take_word("IN") {
            self.expect_sign("(")?;
            if self.is_word("SELECT") {
                let query = Box::new(self.query()?);
                self.expect_sign(")")?;
                return Ok(Condition::Within { path, not, query });
            }
            let values = self.list()?;
            return Ok(Condition::In { path, not, values });
        }
        let excludes = self.is_word("EXCLUDES");
        if excludes || self.is_word("INCLUDES") {
            self.at += 1;
            self.expect_sign("(")?;
            let values = self.list()?;
            return Ok(Condition::Has {
                path,
                not: excludes,
                values,
            });
        }
        let operator = if self.take_word("LIKE") {
            Operator::Like
        } else {
            let operator = match self.peek() {
                Some(Token::Sign("=")) => Operator::Equal,
                Some(Token::Sign("!=" | "<>")) => Operator::NotEqual,
                Some(Token::Sign("<")) => Operator::Less,
                Some(Token::Sign("<=")) => Operator::LessOrEqual,
                Some(Token::Sign(">")) => Operator::Greater,
                Some(Token::Sign(">=")) => Operator::GreaterOrEqual,
                _ => return Err(self.unexpected()),
            };
            self.at += 1;
            operator
        };
        let value = self.literal()?;
        Ok(Condition::Compare {
            path,
            operator,
            value,
        })
    }

    fn list(&mut self) -> Result<Vec<Literal>, RowError> {
        let mut values = vec![self.literal()?];
        while self.take_sign(",") {
            values.push(self.literal()?);
        }
        self.expect_sign(")")?;
        Ok(values)
    }

    fn literal(&mut self) -> Result<Literal, RowError> {
        let value = match self.peek() {
            Some(Token::Text(text)) => Literal::Text(text.clone()),
            Some(Token::Word(word)) => {
                let word = word.clone();
                self.bare(&word).ok_or_else(|| self.unexpected())?
            }
            _ => return Err(self.unexpected()),
        };
        self.at += 1;
        Ok(value)
    }

    fn bare(&self, word: &str) -> Option<Literal> {
        let upper = word.to_uppercase();
        let today = self.today;
        Some(match upper.as_str() {
            "NULL" => Literal::Null,
            "TRUE" => Literal::Bool(true),
            "FALSE" => Literal::Bool(false),
            "TODAY" => Literal::Days(today, today),
            "YESTERDAY" => Literal::Days(today - Duration::days(1), today - Duration::days(1)),
            "TOMORROW" => Literal::Days(today + Duration::days(1), today + Duration::days(1)),
            _ => {
                if let Some((name, count)) = upper.split_once(':')
                    && let Ok(count) = count.parse::<i64>()
                {
                    return match name {
                        "LAST_N_DAYS" => Some(Literal::Days(today - Duration::days(count), today)),
                        "NEXT_N_DAYS" => Some(Literal::Days(
                            today + Duration::days(1),
                            today + Duration::days(count),
                        )),
                        _ => None,
                    };
                }
                if let Some(day) = values::day(word) {
                    return Some(Literal::Day(day));
                }
                if let Some(moment) = values::time(word) {
                    return Some(Literal::Moment(moment));
                }
                Literal::Number(word.parse().ok()?)
            }
        })
    }
}

/// Reads a query.
pub(super) fn parse(text: &str, now: DateTime<Utc>) -> Result<Query, RowError> {
    if text.len() > 100_000 {
        return Err(RowError::new(
            "QUERY_TOO_COMPLICATED",
            "SOQL statements cannot be longer than 100,000 characters",
        ));
    }
    let mut reader = Reader {
        tokens: tokens(text)?,
        at: 0,
        today: now.date_naive(),
    };
    let query = reader.query()?;
    if reader.peek().is_some() {
        return Err(reader.unexpected());
    }
    Ok(query)
}

// ---- answering

/// What a query gives.
#[derive(Debug, Clone)]
pub(super) struct Found {
    /// Records as JSON.
    pub records: Vec<Value>,
    /// How many there are; for `COUNT()` without records.
    pub size: usize,
    /// Whether long texts are among the columns.
    pub is_long: bool,
}

/// Where the objects of the Tooling API may be asked for.
#[derive(Debug, Clone, Copy)]
pub(super) struct Scope {
    /// The recycle bin too.
    pub deleted: bool,
    /// The Tooling API.
    pub tooling: bool,
}

/// A path into a record: the fields to follow, and the last one.
#[derive(Debug, Clone)]
struct Way {
    hops: Vec<String>,
    last: String,
    field: Option<Field>,
}

struct Answerer<'s> {
    state: &'s State,
    access: &'s Access,
    scope: Scope,
}

/// Answers a query.
pub(super) fn answer(
    state: &State,
    access: &Access,
    query: &Query,
    scope: Scope,
) -> Result<Found, RowError> {
    Answerer {
        state,
        access,
        scope,
    }
    .answer(query)
}

impl<'s> Answerer<'s> {
    fn object(&self, name: &str) -> Result<&'s Object, RowError> {
        let found = self.state.object(name).filter(|object| {
            object.has('q')
                && self.access.to(object).read
                && (!object.has('t') || self.scope.tooling)
        });
        found.ok_or_else(|| {
            let text = format!(
                "\nFROM {name}\n     ^\nERROR at Row:1:Column:1\nsObject type '{name}' is not supported. If you are attempting \
                 to use a custom object, be sure to append the '__c' after the entity name. Please reference your WSDL or the \
                 describe call for the appropriate names."
            );
            RowError::new("INVALID_TYPE", text)
        })
    }

    fn way(&self, object: &'s Object, path: &[String]) -> Result<Way, RowError> {
        let no_column = |name: &str, object: &str| {
            let text = format!(
                "\nSELECT {name}\n       ^\nERROR at Row:1:Column:8\nNo such column '{name}' on entity '{object}'. If you are \
                 attempting to use a custom field, be sure to append the '__c' after the custom field name. Please reference \
                 your WSDL or the describe call for the appropriate names."
            );
            RowError::new("INVALID_FIELD", text)
        };
        let (last, front) = path
            .split_last()
            .ok_or_else(|| malformed("unexpected token: '<EOF>'"))?;
        // The object's own name may stand before a field.
        let front = match front.split_first() {
            Some((first, rest))
                if first.eq_ignore_ascii_case(&object.name)
                    && object.relationship(first).is_none() =>
            {
                rest
            }
            _ => front,
        };
        let mut at = vec![object];
        let mut hops = Vec::new();
        for hop in front {
            let field = at.iter().find_map(|object| {
                let field = object
                    .relationship(hop)
                    .filter(|field| self.access.field(object, field).0)?;
                Some(field)
            });
            let Some(field) = field else {
                let text = format!(
                    "Didn't understand relationship '{hop}' in field path. If you are attempting to use a custom \
                     relationship, be sure to append the '__r' after the custom relationship name."
                );
                return Err(RowError::new("INVALID_FIELD", text));
            };
            hops.push(field.name.clone());
            at = field
                .reference_to
                .iter()
                .filter_map(|name| self.state.object(name))
                .collect();
            if field.reference_to.iter().any(|name| name == "*") {
                at.extend(self.state.objects.values().filter(|object| object.custom));
            }
        }
        let field = at
            .iter()
            .find_map(|object| self.access.find(object, last).cloned());
        // Of a reference to several objects the type can be asked for, whatever their own fields are.
        let is_type = !hops.is_empty() && last.eq_ignore_ascii_case("Type");
        let field = field.filter(|_| !is_type || at.len() == 1);
        match field {
            Some(field) => Ok(Way {
                hops,
                last: field.name.clone(),
                field: Some(field),
            }),
            None if is_type => Ok(Way {
                hops,
                last: "Type".to_owned(),
                field: None,
            }),
            None => Err(no_column(
                last,
                at.first().map_or("Name", |object| &object.name),
            )),
        }
    }

    fn value(&self, row: &Row, way: &Way) -> Value {
        let mut at = row;
        for hop in &way.hops {
            match at.get(hop).as_str().and_then(|id| self.state.any(id)) {
                Some(next) => at = next,
                None => return Value::Null,
            }
        }
        if way.field.is_none() {
            return json!(at.object);
        }
        field_value(self.state, at, &way.last)
    }

    fn answer(&self, query: &Query) -> Result<Found, RowError> {
        let object = self.object(&query.from)?;
        let rows = self.rows(object, query)?;
        let size = rows.len();
        if query.columns == [Column::Count] {
            return Ok(Found {
                records: vec![],
                size,
                is_long: false,
            });
        }
        let aggregates = query
            .columns
            .iter()
            .any(|column| matches!(column, Column::Aggregate { .. }));
        if aggregates || !query.group.is_empty() {
            let records = self.grouped(object, query, &rows)?;
            return Ok(Found {
                size: records.len(),
                records,
                is_long: false,
            });
        }
        let mut ways: Vec<(Vec<String>, Option<Way>, Option<&Query>)> = Vec::new();
        let mut is_long = false;
        for column in &query.columns {
            match column {
                Column::Field(path) => {
                    let way = self.way(object, path)?;
                    is_long |= way
                        .field
                        .as_ref()
                        .is_some_and(|field| field.kind == Kind::Area && field.has('x'));
                    ways.push((path.clone(), Some(way), None));
                }
                Column::All => {
                    if query.limit.is_none_or(|limit| limit > 200) {
                        let text = "The SOQL FIELDS function must have a LIMIT of at most 200";
                        return Err(malformed(text));
                    }
                    for field in object
                        .fields
                        .iter()
                        .filter(|field| self.access.field(object, field).0)
                    {
                        let path = vec![field.name.clone()];
                        let way = self.way(object, &path)?;
                        ways.push((path, Some(way), None));
                    }
                }
                Column::Children(query) => ways.push((vec![query.from.clone()], None, Some(query))),
                Column::Count | Column::Aggregate { .. } => {
                    return Err(malformed("Grouped query cannot use COUNT()"));
                }
            }
        }
        let mut records = Vec::with_capacity(rows.len());
        for row in rows {
            let mut record = Map::new();
            record.insert("attributes".to_owned(), attributes(row));
            for (path, way, children) in &ways {
                if let Some(way) = way {
                    self.place(&mut record, row, path, way);
                } else if let Some(query) = children {
                    record.insert(query.from.clone(), self.children(object, row, query)?);
                }
            }
            records.push(Value::Object(record));
        }
        Ok(Found {
            records,
            size,
            is_long,
        })
    }

    /// Puts a value where its path says, parents as objects of their own.
    fn place(&self, record: &mut Map<String, Value>, row: &Row, path: &[String], way: &Way) {
        let value = self.value(row, way);
        let mut at = record;
        let mut parent = Some(row);
        let skipped = path.len() - 1 - way.hops.len();
        for (hop, field) in path.iter().skip(skipped).zip(&way.hops) {
            parent = parent
                .and_then(|row| row.get(field).as_str())
                .and_then(|id| self.state.any(id));
            let Some(row) = parent else {
                at.entry(hop.clone()).or_insert(Value::Null);
                return;
            };
            let known: Vec<String> = at
                .keys()
                .filter(|key| key.eq_ignore_ascii_case(hop))
                .cloned()
                .collect();
            let key = known.into_iter().next().unwrap_or_else(|| hop.clone());
            let slot = at
                .entry(key)
                .or_insert_with(|| json!({"attributes": attributes(row)}));
            match slot.as_object_mut() {
                Some(map) => at = map,
                None => return,
            }
        }
        at.insert(way.last.clone(), value);
    }

    fn children(&self, object: &Object, row: &Row, query: &Query) -> Result<Value, RowError> {
        for other in self.state.objects.values() {
            for field in &other.fields {
                let named = field
                    .child_relationship
                    .as_deref()
                    .is_some_and(|n| n.eq_ignore_ascii_case(&query.from));
                let points = field
                    .reference_to
                    .iter()
                    .any(|to| to == &object.name || to == "*" && object.custom);
                if named && points && self.access.field(other, field).0 {
                    let mut inner = query.clone();
                    inner.from = other.name.clone();
                    let by_parent = Condition::Compare {
                        path: vec![field.name.clone()],
                        operator: Operator::Equal,
                        value: Literal::Text(row.id.clone()),
                    };
                    inner.condition = Some(match inner.condition.take() {
                        Some(own) => Condition::All(vec![by_parent, own]),
                        None => by_parent,
                    });
                    let found = self.answer(&inner)?;
                    if found.records.is_empty() {
                        return Ok(Value::Null);
                    }
                    return Ok(
                        json!({"totalSize": found.size, "done": true, "records": found.records}),
                    );
                }
            }
        }
        let text = format!(
            "Didn't understand relationship '{}' in FROM part of query call.",
            query.from
        );
        Err(RowError::new("INVALID_TYPE", text))
    }

    fn grouped(
        &self,
        object: &'s Object,
        query: &Query,
        rows: &[&Row],
    ) -> Result<Vec<Value>, RowError> {
        let keys: Vec<Way> = query
            .group
            .iter()
            .map(|path| self.way(object, path))
            .collect::<Result<_, _>>()?;
        let mut groups: BTreeMap<Vec<String>, Vec<&Row>> = BTreeMap::new();
        for row in rows {
            let key = keys
                .iter()
                .map(|way| self.value(row, way).to_string())
                .collect();
            groups.entry(key).or_default().push(row);
        }
        if keys.is_empty() && groups.is_empty() {
            groups.insert(vec![], vec![]);
        }
        let mut out = Vec::new();
        for members in groups.values() {
            let mut record = Map::new();
            record.insert("attributes".to_owned(), json!({"type": "AggregateResult"}));
            let mut unnamed = 0;
            for column in &query.columns {
                match column {
                    Column::Field(path) => {
                        if !query
                            .group
                            .iter()
                            .any(|g| g.join(".").eq_ignore_ascii_case(&path.join(".")))
                        {
                            return Err(malformed(format!(
                                "Field must be grouped or aggregated: {}",
                                path.join(".")
                            )));
                        }
                        let way = self.way(object, path)?;
                        let value = members
                            .first()
                            .map(|row| self.value(row, &way))
                            .unwrap_or_default();
                        record.insert(way.last.clone(), value);
                    }
                    Column::Aggregate {
                        function,
                        path,
                        alias,
                    } => {
                        let way = self.way(object, path)?;
                        let name = alias.clone().unwrap_or_else(|| {
                            unnamed += 1;
                            format!("expr{}", unnamed - 1)
                        });
                        record.insert(name, self.aggregate(function, &way, members));
                    }
                    _ => return Err(malformed("unexpected column in a grouped query")),
                }
            }
            out.push(Value::Object(record));
        }
        Ok(out)
    }

    fn aggregate(&self, function: &str, way: &Way, rows: &[&Row]) -> Value {
        let mut values: Vec<Value> = rows
            .iter()
            .map(|row| self.value(row, way))
            .filter(|v| !v.is_null())
            .collect();
        let sum = || values.iter().filter_map(Value::as_f64).sum::<f64>();
        match function {
            "COUNT" => json!(values.len()),
            "COUNT_DISTINCT" => {
                let mut seen: Vec<String> = values.iter().map(Value::to_string).collect();
                seen.sort();
                seen.dedup();
                json!(seen.len())
            }
            "SUM" => json!(sum()),
            "AVG" if values.is_empty() => Value::Null,
            "AVG" => json!(sum() / f64::from(u32::try_from(values.len()).unwrap_or(1))),
            _ => {
                values.sort_by(compare);
                let edge = if function == "MIN" {
                    values.first()
                } else {
                    values.last()
                };
                edge.cloned().unwrap_or_default()
            }
        }
    }

    /// The records of a query, filtered, ordered and cut.
    fn rows(&self, object: &'s Object, query: &Query) -> Result<Vec<&'s Row>, RowError> {
        self.restricted(object, query)?;
        let condition = query
            .condition
            .as_ref()
            .map(|condition| self.prepare(object, condition))
            .transpose()?;
        let candidates = condition
            .as_ref()
            .and_then(|condition| self.candidates(object, condition));
        let mut rows: Vec<&'s Row> = match candidates {
            Some(mut ids) => {
                ids.sort();
                ids.dedup();
                ids.iter()
                    .filter_map(|id| self.state.any(id))
                    .filter(|row| row.object == object.name)
                    .collect()
            }
            None => self.state.of(&object.name).collect(),
        };
        rows.retain(|row| !row.deleted || self.scope.deleted);
        if let Some(condition) = &condition {
            rows.retain(|row| self.holds(row, condition));
        }
        let mut order = Vec::new();
        for item in &query.order {
            let way = self.way(object, &item.path)?;
            if way.field.as_ref().is_some_and(|field| field.has('x')) {
                let text = format!("field '{}' can not be sorted in a query call", way.last);
                return Err(RowError::new("INVALID_FIELD", text));
            }
            order.push((way, item.descending, item.nulls_last));
        }
        if !order.is_empty() {
            rows.sort_by(|a, b| {
                for (way, descending, nulls_last) in &order {
                    let (a, b) = (self.value(a, way), self.value(b, way));
                    let by = match (a.is_null(), b.is_null()) {
                        (true, true) => Ordering::Equal,
                        (true, false) if *nulls_last => Ordering::Greater,
                        (true, false) => Ordering::Less,
                        (false, true) if *nulls_last => Ordering::Less,
                        (false, true) => Ordering::Greater,
                        (false, false) if *descending => compare(&b, &a),
                        (false, false) => compare(&a, &b),
                    };
                    if by != Ordering::Equal {
                        return by;
                    }
                }
                Ordering::Equal
            });
        }
        let from = query.offset.min(rows.len());
        let mut rows = rows.split_off(from);
        if let Some(limit) = query.limit {
            rows.truncate(limit);
        }
        Ok(rows)
    }

    /// Objects that cannot be listed as a whole (§9.5, §9.6).
    fn restricted(&self, object: &Object, query: &Query) -> Result<(), RowError> {
        let names: &[&str] = match object.name.as_str() {
            "ContentDocumentLink" => &["ContentDocumentId", "LinkedEntityId"],
            "TopicAssignment" if query.limit.is_none_or(|limit| limit > 1_100) => {
                &["Id", "EntityId", "TopicId"]
            }
            _ => return Ok(()),
        };
        fn filters(condition: &Condition, names: &[&str]) -> bool {
            let is = |path: &[String]| {
                path.first().is_some_and(|n| {
                    path.len() == 1 && names.iter().any(|m| n.eq_ignore_ascii_case(m))
                })
            };
            match condition {
                Condition::All(all) => all.iter().any(|one| filters(one, names)),
                Condition::Compare {
                    path,
                    operator: Operator::Equal,
                    ..
                } => is(path),
                Condition::In {
                    path, not: false, ..
                }
                | Condition::Within {
                    path, not: false, ..
                } => is(path),
                _ => false,
            }
        }
        if query
            .condition
            .as_ref()
            .is_some_and(|condition| filters(condition, names))
        {
            return Ok(());
        }
        let text = format!(
            "Implementation restriction: {} requires a filter by a single Id on {} using the equals operator or multiple Id's \
             using the IN operator.",
            object.name,
            names.join(" or ")
        );
        Err(malformed(text))
    }

    fn prepare(&self, object: &'s Object, condition: &Condition) -> Result<Ready, RowError> {
        let all = |list: &[Condition]| {
            list.iter()
                .map(|one| self.prepare(object, one))
                .collect::<Result<Vec<_>, _>>()
        };
        Ok(match condition {
            Condition::All(list) => Ready::All(all(list)?),
            Condition::Any(list) => Ready::Any(all(list)?),
            Condition::Not(inner) => Ready::Not(Box::new(self.prepare(object, inner)?)),
            Condition::Compare {
                path,
                operator,
                value,
            } => {
                let way = self.filterable(object, path)?;
                let value = fitting(&way, value)?;
                Ready::Compare(way, *operator, value)
            }
            Condition::In { path, not, values } => {
                let way = self.filterable(object, path)?;
                let values = values
                    .iter()
                    .map(|value| fitting(&way, value))
                    .collect::<Result<_, _>>()?;
                Ready::In(way, *not, values)
            }
            Condition::Within { path, not, query } => {
                let way = self.filterable(object, path)?;
                let inner = self.object(&query.from)?;
                let [Column::Field(column)] = query.columns.as_slice() else {
                    return Err(malformed("a semi-join selects one field"));
                };
                let column = self.way(inner, column)?;
                let found = self.rows(inner, query)?;
                let values = found.into_iter().map(|row| self.value(row, &column));
                let values = values
                    .filter_map(|value| value.as_str().map(|text| Literal::Text(text.to_owned())))
                    .collect();
                Ready::In(way, *not, values)
            }
            Condition::Has { path, not, values } => {
                let way = self.filterable(object, path)?;
                let texts = values.iter().filter_map(|value| match value {
                    Literal::Text(text) => Some(text.clone()),
                    _ => None,
                });
                Ready::Has(way, *not, texts.collect())
            }
        })
    }

    fn filterable(&self, object: &'s Object, path: &[String]) -> Result<Way, RowError> {
        let way = self.way(object, path)?;
        if way.field.as_ref().is_some_and(|field| field.has('x')) {
            let text = format!("field '{}' can not be filtered in a query call", way.last);
            return Err(RowError::new("INVALID_FIELD", text));
        }
        Ok(way)
    }

    /// Ids among which all records of the condition are, where an index says so.
    fn candidates(&self, object: &Object, condition: &Ready) -> Option<Vec<String>> {
        let (way, values) = match condition {
            Ready::All(all) => return all.iter().find_map(|one| self.candidates(object, one)),
            Ready::Compare(way, Operator::Equal, value) => (way, std::slice::from_ref(value)),
            Ready::In(way, false, values) => (way, values.as_slice()),
            _ => return None,
        };
        let field = way.field.as_ref().filter(|_| way.hops.is_empty())?;
        let mut ids = Vec::new();
        for value in values {
            let Literal::Text(text) = value else {
                return None;
            };
            match field.kind {
                Kind::Id => ids.push(text.clone()),
                Kind::Reference => ids.extend(
                    self.state
                        .children_of(text)
                        .into_iter()
                        .map(|row| row.id.clone()),
                ),
                // The index holds live records only.
                _ if field.indexed() && !self.scope.deleted => {
                    ids.extend(
                        self.state
                            .by_key(&object.name, field, &json!(text))
                            .iter()
                            .map(|row| row.id.clone()),
                    );
                }
                _ => return None,
            }
        }
        Some(ids)
    }

    fn holds(&self, row: &Row, condition: &Ready) -> bool {
        match condition {
            Ready::All(all) => all.iter().all(|one| self.holds(row, one)),
            Ready::Any(any) => any.iter().any(|one| self.holds(row, one)),
            Ready::Not(inner) => !self.holds(row, inner),
            Ready::Compare(way, operator, literal) => {
                compares(&self.value(row, way), *operator, literal, way)
            }
            Ready::In(way, not, literals) => {
                let value = self.value(row, way);
                let found = literals
                    .iter()
                    .any(|literal| compares(&value, Operator::Equal, literal, way));
                found != *not
            }
            Ready::Has(way, not, wanted) => {
                let value = self.value(row, way);
                let have: Vec<String> = value
                    .as_str()
                    .unwrap_or_default()
                    .split(';')
                    .map(str::to_lowercase)
                    .collect();
                let all = |text: &String| {
                    text.split(';')
                        .all(|part| have.contains(&part.to_lowercase()))
                };
                wanted.iter().any(all) != *not
            }
        }
    }
}

/// A condition whose paths are known.
enum Ready {
    All(Vec<Ready>),
    Any(Vec<Ready>),
    Not(Box<Ready>),
    Compare(Way, Operator, Literal),
    In(Way, bool, Vec<Literal>),
    Has(Way, bool, Vec<String>),
}

/// The literal as the field's type wants it.
fn fitting(way: &Way, literal: &Literal) -> Result<Literal, RowError> {
    let Some(field) = &way.field else {
        return Ok(literal.clone());
    };
    let wrong = |what: &str| {
        let text = format!(
            "value of filter criterion for field '{}' must be of type {what}",
            field.name
        );
        Err(RowError::new("INVALID_FIELD", text))
    };
    match (field.kind, literal) {
        (_, Literal::Null) => Ok(Literal::Null),
        (Kind::Id | Kind::Reference, Literal::Text(text)) => match ids::full(text) {
            Some(id) => Ok(Literal::Text(id)),
            None if text.is_empty() => Ok(Literal::Null),
            None => Err(RowError::new(
                "INVALID_QUERY_FILTER_OPERATOR",
                format!("invalid ID field: {text}"),
            )),
        },
        (Kind::DateTime, Literal::Moment(_) | Literal::Days(..))
        | (Kind::Date, Literal::Day(_) | Literal::Days(..)) => Ok(literal.clone()),
        (Kind::DateTime, _) => wrong("dateTime and should not be enclosed in quotes"),
        (Kind::Date, _) => wrong("date and should not be enclosed in quotes"),
        (Kind::Bool, Literal::Bool(_)) | (Kind::Int | Kind::Double, Literal::Number(_)) => {
            Ok(literal.clone())
        }
        (Kind::Bool, _) => wrong("boolean and should not be enclosed in quotes"),
        (Kind::Int | Kind::Double, _) => wrong("double and should not be enclosed in quotes"),
        (_, Literal::Text(text)) if text.is_empty() => Ok(Literal::Null),
        (_, Literal::Text(_)) => Ok(literal.clone()),
        _ => wrong("string and should be enclosed in quotes"),
    }
}

fn compares(value: &Value, operator: Operator, literal: &Literal, way: &Way) -> bool {
    let exact = way.field.as_ref().is_some_and(|field| {
        field.case_sensitive || matches!(field.kind, Kind::Id | Kind::Reference)
    });
    let fold = |text: &str| {
        if exact {
            text.to_owned()
        } else {
            text.to_lowercase()
        }
    };
    let order = match (value, literal) {
        (Value::Null, Literal::Null) => Some(Ordering::Equal),
        (Value::Null, Literal::Text(text)) if text.is_empty() => Some(Ordering::Equal),
        (Value::Null, _) | (_, Literal::Null) => None,
        (Value::String(text), Literal::Text(wanted)) => {
            if operator == Operator::Like {
                return like(&text.to_lowercase(), &wanted.to_lowercase());
            }
            let wanted = wanted.replace("\\%", "%").replace("\\_", "_");
            Some(fold(text).cmp(&fold(&wanted)))
        }
        (Value::Bool(flag), Literal::Bool(wanted)) => Some(flag.cmp(wanted)),
        (Value::Number(number), Literal::Number(wanted)) => {
            number.as_f64().and_then(|n| n.partial_cmp(wanted))
        }
        (Value::String(text), Literal::Moment(wanted)) => {
            values::time(text).map(|time| time.cmp(wanted))
        }
        (Value::String(text), Literal::Day(wanted)) => values::day(text).map(|day| day.cmp(wanted)),
        (Value::String(text), Literal::Days(first, last)) => {
            let day =
                values::day(text).or_else(|| values::time(text).map(|time| time.date_naive()));
            day.map(|day| {
                if day < *first {
                    Ordering::Less
                } else if day > *last {
                    Ordering::Greater
                } else {
                    Ordering::Equal
                }
            })
        }
        _ => None,
    };
    match operator {
        Operator::Equal => order == Some(Ordering::Equal),
        Operator::NotEqual => order != Some(Ordering::Equal),
        Operator::Less => order == Some(Ordering::Less),
        Operator::LessOrEqual => matches!(order, Some(Ordering::Less | Ordering::Equal)),
        Operator::Greater => order == Some(Ordering::Greater),
        Operator::GreaterOrEqual => matches!(order, Some(Ordering::Greater | Ordering::Equal)),
        Operator::Like => false,
    }
}

/// `%` is any letters, `_` one, a backslash takes their meaning away.
fn like(text: &str, pattern: &str) -> bool {
    fn fits(text: &[char], pattern: &[char]) -> bool {
        match pattern.split_first() {
            None => text.is_empty(),
            Some(('%', rest)) => {
                (0..=text.len()).any(|n| text.get(n..).is_some_and(|tail| fits(tail, rest)))
            }
            Some(('_', rest)) => text.split_first().is_some_and(|(_, tail)| fits(tail, rest)),
            Some(('\\', rest)) if matches!(rest.first(), Some('%' | '_')) => {
                match (text.split_first(), rest.split_first()) {
                    (Some((letter, tail)), Some((wanted, rest))) => {
                        letter == wanted && fits(tail, rest)
                    }
                    _ => false,
                }
            }
            Some((wanted, rest)) => text
                .split_first()
                .is_some_and(|(letter, tail)| letter == wanted && fits(tail, rest)),
        }
    }
    let letters = |text: &str| text.chars().collect::<Vec<_>>();
    fits(&letters(text), &letters(pattern))
}

fn compare(a: &Value, b: &Value) -> Ordering {
    match (a, b) {
        (Value::Number(a), Value::Number(b)) => a
            .as_f64()
            .partial_cmp(&b.as_f64())
            .unwrap_or(Ordering::Equal),
        (Value::String(a), Value::String(b)) => a
            .to_lowercase()
            .cmp(&b.to_lowercase())
            .then_with(|| a.cmp(b)),
        (Value::Bool(a), Value::Bool(b)) => a.cmp(b),
        (a, b) => a.to_string().cmp(&b.to_string()),
    }
}

/// Type and address of a record.
pub(super) fn attributes(row: &Row) -> Value {
    json!({
        "type": row.object,
        "url": format!("/services/data/v67.0/sobjects/{}/{}", row.object, row.id),
    })
}

/// A field's value as it is shown: some are not stored but follow from others.
pub(super) fn field_value(state: &State, row: &Row, field: &str) -> Value {
    let of_contact = |name: &str| {
        state
            .live(row.text("ContactId"))
            .map(|c| c.get(name).clone())
            .unwrap_or_default()
    };
    match (row.object.as_str(), field) {
        (_, "Id") => json!(row.id),
        (_, "IsDeleted") => json!(row.deleted),
        ("Case", "ContactEmail") => of_contact("Email"),
        ("Case", "ContactPhone") => of_contact("Phone"),
        ("Case", "ContactMobile") => of_contact("MobilePhone"),
        ("Case", "ContactFax") => of_contact("Fax"),
        ("ContentVersion", "VersionData") | ("Attachment", "Body") => {
            json!(format!(
                "/services/data/v67.0/sobjects/{}/{}/{field}",
                row.object, row.id
            ))
        }
        (_, name) => row.get(name).clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_has_two_wildcards() {
        assert!(like("old partner", "old%"));
        assert!(like("abc", "a_c"));
        assert!(!like("abc", "a_"));
        assert!(like("50%", "50\\%"));
        assert!(!like("500", "50\\%"));
    }

    #[test]
    fn what_is_no_query_is_refused() {
        let now = DateTime::<Utc>::default();
        for text in [
            "SELECT FROM Case",
            "SELECT Id Case",
            "SELECT Id FROM Case WHERE",
            "SELECT Id FROM Case WHERE A = 'x' AND B = 'y' OR C = 'z'",
            "SELECT Id FROM Case WHERE A = 'x",
            "SELECT Id FROM Case LIMIT many",
            "SELECT Id FROM Case nonsense",
        ] {
            assert_eq!(
                parse(text, now).unwrap_err().code,
                "MALFORMED_QUERY",
                "{text}"
            );
        }
    }

    #[test]
    fn a_quoted_text_may_hold_quotes() {
        let now = DateTime::<Utc>::default();
        let query = parse(r"SELECT Id FROM Case WHERE Subject = 'it\'s \\ here'", now).unwrap();
        let Some(Condition::Compare { value, .. }) = query.condition else {
            panic!("no condition")
        };
        assert_eq!(value, Literal::Text(r"it's \ here".to_owned()));
    }
}
