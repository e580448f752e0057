//! The loop of the cell process: it loads each compiled cell and calls it.
//!
//! It takes the place of Evcxr's own loop and speaks the same protocol, but it reads its instructions from
//! a descriptor of its own. Standard input is empty, so neither a cell nor a program that a cell starts can
//! take an instruction away.

use crate::output::marker::Marker;
use anyhow::{Context, Result, bail};
use std::ffi::{CStr, CString, c_void};
use std::fs::File;
use std::io::{self, BufRead, BufReader};
use std::os::fd::{FromRawFd, OwnedFd};

/// Tells the library the descriptor from which it reads the reader's answers.
const INPUT: &str = "TCHALK_KERNEL_INPUT";
/// The instruction to load a shared library and call a function in it.
const LOAD_AND_RUN: &str = "LOAD_AND_RUN ";
/// What Evcxr expects of a process that cannot carry out an instruction.
const BAD_INSTRUCTION: i32 = 99;

/// The function of a cell: it takes the variables, and returns them.
type CellFunction = extern "C" fn(*mut c_void) -> *mut c_void;

/// Replaces standard input by an empty one, and returns the kernel's instructions.
pub fn take_standard_input() -> io::Result<File> {
    // SAFETY: plain system calls on descriptors that this function owns; each result is checked.
    unsafe {
        let input = libc::fcntl(libc::STDIN_FILENO, libc::F_DUPFD_CLOEXEC, 3);
        if input < 0 {
            return Err(io::Error::last_os_error());
        }
        let input_file = File::from(OwnedFd::from_raw_fd(input));
        let nowhere = libc::open(c"/dev/null".as_ptr(), libc::O_RDONLY | libc::O_CLOEXEC);
        if nowhere < 0 || libc::dup2(nowhere, libc::STDIN_FILENO) < 0 {
            return Err(io::Error::last_os_error());
        }
        libc::close(nowhere);
        // No other thread runs yet.
        std::env::set_var(INPUT, input.to_string());
        Ok(input_file)
    }
}

/// Carries out instructions until the kernel closes the pipe.
pub fn run(instructions: File) -> ! {
    let mut variables = std::ptr::null_mut();
    for line in BufReader::new(instructions).lines() {
        let done = line.context("cannot read").and_then(|line| run_cell(&line, variables));
        match done {
            Ok(changed) => variables = changed,
            Err(error) => {
                eprintln!("{error:#}");
                std::process::exit(BAD_INSTRUCTION);
            }
        }
    }
    std::process::exit(0)
}

/// Loads the library of a cell, which stays loaded, and calls the cell. Returns the variables.
fn run_cell(instruction: &str, variables: *mut c_void) -> Result<*mut c_void> {
    let cell = instruction.strip_prefix(LOAD_AND_RUN).and_then(|cell| cell.rsplit_once(' '));
    let Some((library, function)) = cell else { bail!("unknown instruction: {instruction}") };
    let (library, function) = (CString::new(library)?, CString::new(function)?);
    // SAFETY: the kernel has just compiled the library, and its function has this type.
    let function = unsafe {
        let handle = libc::dlopen(library.as_ptr(), libc::RTLD_LAZY | libc::RTLD_LOCAL);
        let address = match handle.is_null() {
            true => handle,
            false => libc::dlsym(handle, function.as_ptr()),
        };
        if address.is_null() {
            bail!("cannot load a cell: {}", CStr::from_ptr(libc::dlerror()).to_string_lossy());
        }
        std::mem::transmute::<*mut c_void, CellFunction>(address)
    };
    println!("{}", Marker::Begin.line());
    let variables = function(variables);
    println!("EVCXR_EXECUTION_COMPLETE");
    Ok(variables)
}
