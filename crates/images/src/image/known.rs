//! The sets that experiments ask for by name: which files hold them, and where the originals come from.

use super::Images;
use ebmotion::{Error, Result};
use std::path::{Path, PathBuf};

/// Which part of a set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// What models learn from.
    Train,
    /// What they are judged on.
    Test,
}

impl Part {
    /// `train` or `test`.
    pub fn name(self) -> &'static str {
        match self {
            Part::Train => "train",
            Part::Test => "test",
        }
    }
}

/// A set known by name.
#[derive(Debug)]
pub struct Known {
    /// The name, and that of the folder in which it is looked for.
    pub name: &'static str,
    /// What the set is, in a few words.
    pub what: &'static str,
    /// Where the originals come from.
    pub origin: &'static str,
    /// Alternatives for the training part, each a list of files or one folder; idx and binary files also with `.gz`.
    train: &'static [&'static [&'static str]],
    /// The same for the test part; empty where the set has none.
    test: &'static [&'static [&'static str]],
}

/// All known sets. dSprites is not among them: it is generated, see [`super::sprites`].
pub const KNOWN: &[Known] = &[
    Known {
        name: "mnist",
        what: "handwritten digits, 28 x 28 grey",
        origin: "http://yann.lecun.com/exdb/mnist/",
        train: MNIST_TRAIN,
        test: MNIST_TEST,
    },
    Known {
        name: "fashion_mnist",
        what: "pieces of clothing, 28 x 28 grey",
        origin: "https://github.com/zalandoresearch/fashion-mnist",
        train: MNIST_TRAIN,
        test: MNIST_TEST,
    },
    Known {
        name: "omniglot",
        what: "letters of many alphabets, grey",
        origin: "https://github.com/brendenlake/omniglot",
        train: &[&["images_background_small1_28x28-idx3-ubyte"], &["images_background"]],
        test: &[&["images_evaluation"]],
    },
    Known {
        name: "cifar10",
        what: "photographs of ten kinds of thing, 32 x 32 colour",
        origin: "https://www.cs.toronto.edu/~kriz/cifar.html (the binary version)",
        train: &[
            &["data_batch_1.bin", "data_batch_2.bin", "data_batch_3.bin", "data_batch_4.bin", "data_batch_5.bin"],
            &["train.parquet"],
            &["train-00000-of-00001.parquet"],
            &["train"],
        ],
        test: &[&["test_batch.bin"], &["test.parquet"], &["test-00000-of-00001.parquet"], &["test"]],
    },
    Known {
        name: "imagenet32",
        what: "photographs of a thousand kinds of thing, 32 x 32 colour",
        origin: "https://image-net.org/download-images (downsampled, 32 x 32, npz)",
        train: &[&[
            "train_data_batch_1.npz",
            "train_data_batch_2.npz",
            "train_data_batch_3.npz",
            "train_data_batch_4.npz",
            "train_data_batch_5.npz",
            "train_data_batch_6.npz",
            "train_data_batch_7.npz",
            "train_data_batch_8.npz",
            "train_data_batch_9.npz",
            "train_data_batch_10.npz",
        ]],
        test: &[&["val_data.npz"]],
    },
];

const MNIST_TRAIN: &[&[&str]] = &[&["train-images-idx3-ubyte"], &["train-images.idx3-ubyte"]];
const MNIST_TEST: &[&[&str]] = &[&["t10k-images-idx3-ubyte"], &["t10k-images.idx3-ubyte"]];

impl Known {
    /// The set called `name`.
    ///
    /// # Errors
    /// [`Error::Config`] naming all sets.
    pub fn named(name: &str) -> Result<&'static Known> {
        KNOWN.iter().find(|k| k.name == name).ok_or_else(|| {
            let names: Vec<&str> = KNOWN.iter().map(|k| k.name).collect();
            Error::config("set of images", format!("`{name}`"), names.join(", "))
        })
    }

    /// True when [`Known::read`] would find the part's files in `folder`.
    pub fn is_in(&self, folder: &Path, part: Part) -> bool {
        self.files(folder, part).is_some()
    }

    fn alternatives(&self, part: Part) -> &'static [&'static [&'static str]] {
        match part {
            Part::Train => self.train,
            Part::Test => self.test,
        }
    }

    /// The first alternative of which every file is there. A folder may be that of one set, or that of many: where it has
    /// a subfolder of the set's name, files beside that one are not taken.
    fn files(&self, folder: &Path, part: Part) -> Option<Vec<PathBuf>> {
        let own = folder.join(self.name);
        let place = if own.is_dir() { &own } else { folder };
        let all = |files: &&[&str]| files.iter().map(|f| existing(place, f)).collect::<Option<Vec<_>>>();
        self.alternatives(part).iter().find_map(all)
    }

    /// Reads a part of the set from `folder`: from its subfolder of the set's name, or from itself. The first
    /// alternative of which every file is there is taken.
    ///
    /// # Errors
    /// [`Error::Image`] that says which files to put where and where they come from when they are not there; else as
    /// [`Images::read`].
    pub fn read(&self, folder: &Path, part: Part) -> Result<Images> {
        if let Some(paths) = self.files(folder, part) {
            let mut images = Images::read_all(&paths)?;
            images.name = format!("{} {}", self.name, part.name());
            return Ok(images);
        }
        let alternatives = self.alternatives(part);
        let wanted: Vec<String> = alternatives.iter().map(|files| listed(files)).collect();
        let found = format!("no {} set of `{}` ({})", part.name(), self.name, self.what);
        let expected = match wanted.is_empty() {
            true => "another set: this one has no such part".into(),
            false => format!(
                "in it, or in its folder `{}`: {} (also with .gz); the originals are at {}",
                self.name,
                wanted.join(", or "),
                self.origin
            ),
        };
        Err(Error::image(folder, found, expected))
    }
}

fn existing(folder: &Path, file: &str) -> Option<PathBuf> {
    [folder.join(file), folder.join(format!("{file}.gz"))].into_iter().find(|p| p.exists())
}

/// `a`, or `a` to `z`; a folder is called one.
fn listed(files: &[&str]) -> String {
    match files {
        [one] if !one.contains('.') && !one.contains("idx") => format!("a folder `{one}` of class folders"),
        [one] => format!("`{one}`"),
        [first, .., last] => format!("`{first}` to `{last}`"),
        [] => String::new(),
    }
}
