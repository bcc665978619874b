//! Sets known by name.

use super::*;
use ebmotion_images::image::{KNOWN, Known, Part};

#[test]
fn a_missing_set_says_what_to_put_where() {
    let folder = tempfile::tempdir().unwrap();
    for known in KNOWN {
        for part in [Part::Train, Part::Test] {
            refused(known.read(folder.path(), part), folder.path(), &[known.name, part.name(), known.origin]);
        }
    }
    let mnist = Known::named("mnist").unwrap();
    refused(mnist.read(folder.path(), Part::Test), folder.path(), &["`t10k-images-idx3-ubyte`", "folder `mnist`"]);
    let error = Known::named("minst").expect_err("no such set");
    assert!(error.exit_code() == 2 && error.to_string().contains("mnist, fashion_mnist"), "{error}");
}

#[test]
fn a_set_is_found_in_its_own_folder_or_in_the_one_given() {
    let folder = tempfile::tempdir().unwrap();
    let mnist = Known::named("mnist").unwrap();
    write(&folder.path().join("t10k-images-idx3-ubyte"), &idx(&[1, 1, 1], &[5]));
    let images = mnist.read(folder.path(), Part::Test).unwrap();
    assert_eq!((images.name.as_str(), images.pixels()), ("mnist test", &[5][..]));
    // Where there is a folder of its name, files beside it belong to another set.
    write(&folder.path().join("mnist/t10k-images.idx3-ubyte.gz"), &gzip(&idx(&[1, 1, 1], &[6])));
    assert_eq!(mnist.read(folder.path(), Part::Test).unwrap().pixels(), [6]);
}

#[test]
fn a_batch_that_is_missing_is_noticed() {
    let folder = tempfile::tempdir().unwrap();
    let cifar = Known::named("cifar10").unwrap();
    for i in [1, 2, 4, 5] {
        write(&folder.path().join(format!("data_batch_{i}.bin")), &[0; 3073]);
    }
    refused(cifar.read(folder.path(), Part::Train), folder.path(), &["`data_batch_1.bin` to `data_batch_5.bin`"]);
    write(&folder.path().join("data_batch_3.bin"), &[0; 3073]);
    assert_eq!(cifar.read(folder.path(), Part::Train).unwrap().len(), 5);
}
