//! CSV tables that grow while a run goes on: rows are added to `NAME.partial`, so that an interrupted run can
//! go on, and the whole table appears under its own name at the end.

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use csv::StringRecord;

use super::emit;
use crate::error::CliError;

/// A table of one output folder.
pub(crate) struct ResumableTable {
    path: PathBuf,
    columns: &'static [&'static str],
    /// The command that writes such tables.
    command: &'static str,
}

impl ResumableTable {
    /// The table at `path`, which may not be there yet.
    pub(crate) fn new(
        path: PathBuf,
        columns: &'static [&'static str],
        command: &'static str,
    ) -> Self {
        Self {
            path,
            columns,
            command,
        }
    }

    /// The whole table.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Rows of a run that is not at its end.
    fn partial(&self) -> PathBuf {
        let mut name = self.path.as_os_str().to_owned();
        name.push(".partial");
        name.into()
    }

    /// Rows that earlier runs left: those of the whole table, and those of a run that was interrupted. Half a
    /// row at the end is cut off.
    pub(crate) fn rows(&self) -> Result<[Vec<StringRecord>; 2], CliError> {
        let partial = self.partial();
        let bytes = read_if_there(&partial)?;
        let end = bytes.iter().rposition(|&byte| byte == b'\n');
        let rows = &bytes[..end.map_or(0, |at| at + 1)];
        if rows.len() < bytes.len() {
            // Or the next row would begin in the middle of it.
            emit(Some(&partial), rows)?;
        }
        let whole = read_if_there(&self.path)?;
        Ok([self.parse(&self.path, &whole)?, self.parse(&partial, rows)?])
    }

    fn parse(&self, path: &Path, text: &[u8]) -> Result<Vec<StringRecord>, CliError> {
        let failed = |source| CliError::Read {
            path: path.to_owned(),
            source,
        };
        let mut reader = csv::ReaderBuilder::new()
            .has_headers(false)
            .flexible(true)
            .from_reader(text);
        let mut rows = Vec::new();
        for row in reader.records() {
            let row = row.map_err(|error| failed(io::Error::other(error)))?;
            if row.len() != self.columns.len() {
                let problem = format!(
                    "it is no table of `{}`; move it, or write elsewhere",
                    self.command
                );
                return Err(failed(io::Error::other(problem)));
            }
            if !row.iter().eq(self.columns.iter().copied()) {
                rows.push(row);
            }
        }
        Ok(rows)
    }

    /// Adds rows to those of the run; they are on disk when this returns.
    pub(crate) fn append<'a>(
        &self,
        rows: impl IntoIterator<Item = &'a StringRecord>,
    ) -> Result<(), CliError> {
        let path = self.partial();
        OpenOptions::new()
            .create(true)
            .append(true)
            .open(&path)
            .and_then(|mut file| {
                file.write_all(&csv_of(rows))?;
                file.sync_data()
            })
            .map_err(|source| CliError::Write {
                what: path.display().to_string(),
                source,
            })
    }

    /// Puts these rows in the place of those of an interrupted run.
    pub(crate) fn restart<'a>(
        &self,
        rows: impl IntoIterator<Item = &'a StringRecord>,
    ) -> Result<(), CliError> {
        emit(Some(&self.partial()), &csv_of(rows))
    }

    /// Writes the whole table.
    pub(crate) fn finish<'a>(
        &self,
        rows: impl IntoIterator<Item = &'a StringRecord>,
    ) -> Result<(), CliError> {
        let header = StringRecord::from(self.columns);
        let mut text = csv_of([&header]);
        text.extend(csv_of(rows));
        emit(Some(&self.path), &text)?;
        // Every row of it is in the table now; it may never have been made.
        let _ = fs::remove_file(self.partial());
        Ok(())
    }
}

fn read_if_there(path: &Path) -> Result<Vec<u8>, CliError> {
    match fs::read(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        read => read.map_err(|source| CliError::Read {
            path: path.to_owned(),
            source,
        }),
    }
}

fn csv_of<'a>(rows: impl IntoIterator<Item = &'a StringRecord>) -> Vec<u8> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    for row in rows {
        writer.write_record(row).expect("writing to memory");
    }
    writer.into_inner().expect("writing to memory")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(fields: [&str; 2]) -> StringRecord {
        StringRecord::from(fields.as_slice())
    }

    #[test]
    fn half_a_row_is_cut_off_and_the_next_one_is_whole() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("list.csv");
        let table = ResumableTable::new(path.clone(), &["name", "value"], "fas test");
        let [first, second] = [row(["a,b", "1"]), row(["c", "2"])];
        table.append([&first, &second]).unwrap();
        let partial = folder.path().join("list.csv.partial");
        let bytes = fs::read(&partial).unwrap();
        fs::write(&partial, &bytes[..bytes.len() - 2]).unwrap();
        assert_eq!(table.rows().unwrap(), [vec![], vec![first.clone()]]);
        table.append([&second]).unwrap();
        assert_eq!(table.rows().unwrap()[1], [first.clone(), second.clone()]);

        table.finish([&first, &second]).unwrap();
        assert_eq!(
            fs::read_to_string(&path).unwrap(),
            "name,value\n\"a,b\",1\nc,2\n"
        );
        assert_eq!(table.rows().unwrap(), [vec![first, second], vec![]]);
        fs::write(&path, "other\n").unwrap();
        let error = table.rows().unwrap_err().to_string();
        assert!(error.contains("no table of `fas test`"), "{error}");
    }
}
