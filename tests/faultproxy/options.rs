//! What the proxy is told when it is started.

use hyper::Uri;

/// Where to listen and whom to ask.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Options {
    /// `HOST:PORT` of the server behind.
    pub upstream: String,
    /// Where browsers connect.
    pub listen: String,
    /// Where tests connect.
    pub control: String,
}

/// Reads the command line.
///
/// # Errors
/// What is wrong with it, for a person.
pub(crate) fn parse(arguments: impl Iterator<Item = String>) -> Result<Options, String> {
    let (mut upstream, mut listen, mut control) = (None, None, None);
    let mut arguments = arguments;
    while let Some(name) = arguments.next() {
        let place = match name.as_str() {
            "--upstream" => &mut upstream,
            "--listen" => &mut listen,
            "--control" => &mut control,
            _ => return Err(format!("unknown argument {name}")),
        };
        *place = Some(arguments.next().ok_or(format!("{name} needs a value"))?);
    }
    let upstream = upstream.ok_or("--upstream http://HOST:PORT is missing")?;
    let uri: Uri = upstream.parse().map_err(|error| format!("{upstream}: {error}"))?;
    let (Some("http"), Some(authority)) = (uri.scheme_str(), uri.authority()) else {
        return Err(format!("{upstream}: not http://HOST:PORT"));
    };
    let any = || "127.0.0.1:0".to_owned();
    Ok(Options {
        upstream: authority.to_string(),
        listen: listen.unwrap_or_else(any),
        control: control.unwrap_or_else(any),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(line: &str) -> Result<Options, String> {
        parse(line.split_whitespace().map(str::to_owned))
    }

    #[test]
    fn any_free_port_will_do() {
        let any = "127.0.0.1:0".to_owned();
        let options = Options { upstream: "127.0.0.1:80".to_owned(), listen: any.clone(), control: any };
        assert_eq!(parsed("--upstream http://127.0.0.1:80"), Ok(options));
    }

    #[test]
    fn a_command_line_that_says_too_little_is_refused() {
        for line in ["", "--upstream", "--upstream 127.0.0.1", "--upstream https://a:1", "--downstream x"] {
            assert!(parsed(line).is_err(), "{line}");
        }
    }
}
