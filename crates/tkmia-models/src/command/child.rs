//! [`Child`]: a process that is asked and answers in lines, within a time.

use std::io::{self, BufRead, BufReader, ErrorKind, Read, Write};
use std::process::{self, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

use super::Fault;

/// Bytes of a line at most: scores of far more labels than any network has.
const LONGEST_LINE: u64 = 1 << 24;
/// How long a process may take to end when there is nothing left to ask.
const PATIENCE: Duration = Duration::from_secs(2);

/// Neither a full pipe nor a silent process keeps whoever asks longer than they want to wait: what is written and what is read
/// has a thread each.
#[derive(Debug)]
pub struct Child {
    process: process::Child,
    /// Closed when there is nothing left to ask.
    questions: Option<Sender<Vec<u8>>>,
    lines: Receiver<io::Result<String>>,
}

impl Child {
    /// Starts a program with its arguments; its standard error is that of this process.
    pub fn start(words: &[String]) -> io::Result<Self> {
        let (program, arguments) = words
            .split_first()
            .ok_or_else(|| io::Error::other("expected a program, found nothing"))?;
        let mut command = Command::new(program);
        command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped());
        // Ctrl-C is for whoever asks, who may have questions left before the end.
        #[cfg(unix)]
        std::os::unix::process::CommandExt::process_group(&mut command, 0);
        let mut process = command.spawn()?;
        let mut input = process.stdin.take().expect("it is a pipe");
        let output = process.stdout.take().expect("it is a pipe");
        let (questions, asked) = channel::<Vec<u8>>();
        let (answer, lines) = channel();
        thread::spawn(move || {
            // Whoever doesn't read doesn't answer, and that is noticed.
            for question in asked {
                if input.write_all(&question).and_then(|()| input.flush()).is_err() {
                    break;
                }
            }
        });
        thread::spawn(move || {
            let mut output = BufReader::new(output);
            while let Some(line) = next_line(&mut output) {
                if answer.send(line).is_err() {
                    break;
                }
            }
        });
        Ok(Self { process, questions: Some(questions), lines })
    }

    /// Asks, and waits for so many lines.
    pub fn ask(
        &mut self,
        question: Vec<u8>,
        count: usize,
        within: Duration,
    ) -> Result<Vec<String>, Fault> {
        if let Ok(line) = self.lines.try_recv() {
            return Err(Fault::Unasked { line: line? });
        }
        if let Some(questions) = &self.questions {
            // An error is that of a process that has ended.
            let _ = questions.send(question);
        }
        let start = Instant::now();
        let mut answer = Vec::with_capacity(count);
        while answer.len() < count {
            let (found, of) = (answer.len(), count);
            match self.lines.recv_timeout(within.saturating_sub(start.elapsed())) {
                Ok(line) => answer.push(line?),
                Err(RecvTimeoutError::Timeout) => {
                    return Err(Fault::Late { seconds: within.as_secs_f64(), found, of });
                }
                Err(RecvTimeoutError::Disconnected) => {
                    return Err(Fault::Ended { status: self.end(), found, of });
                }
            }
        }
        Ok(answer)
    }

    /// Ends it: there are no more questions.
    fn end(&mut self) -> io::Result<ExitStatus> {
        self.questions = None;
        let start = Instant::now();
        while start.elapsed() < PATIENCE {
            if let Some(status) = self.process.try_wait()? {
                return Ok(status);
            }
            thread::sleep(Duration::from_millis(5));
        }
        self.process.kill()?;
        self.process.wait()
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        let _ = self.end();
    }
}

/// The next line without its end; nothing where there is none.
fn next_line(output: &mut impl BufRead) -> Option<io::Result<String>> {
    let mut line = Vec::new();
    match output.take(LONGEST_LINE).read_until(b'\n', &mut line) {
        Ok(0) => None,
        Ok(bytes) if bytes as u64 == LONGEST_LINE => {
            let message = format!("expected lines of less than {LONGEST_LINE} bytes, found more");
            Some(Err(io::Error::new(ErrorKind::FileTooLarge, message)))
        }
        Ok(_) => Some(Ok(String::from_utf8_lossy(&line).trim_end().to_owned())),
        Err(error) => Some(Err(error)),
    }
}
