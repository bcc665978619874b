//! Parquet files.

use super::*;

#[test]
fn bytes_and_structs_of_bytes_are_pictures() {
    for name in ["plain.parquet", "struct.parquet"] {
        let images = Images::read(&golden(name)).unwrap();
        holds(&images, &expected("parquet"));
        assert_eq!(images.labels(), Some(&[4, 0, 9][..]), "{name}");
    }
}

#[test]
fn what_is_wrong_is_told_with_its_row() {
    let path = golden("broken.parquet");
    refused(Images::read(&path), &path, &["row 2", "`image`", "6f, 6f, 70, 73"]);
    let path = golden("negative.parquet");
    refused(Images::read(&path), &path, &["row 1", "`label`", "-1"]);
    let folder = tempfile::tempdir().unwrap();
    let bytes = std::fs::read(golden("plain.parquet")).unwrap();
    let path = write(&folder.path().join("cut.parquet"), &bytes[..bytes.len() / 2]);
    refused(Images::read(&path), &path, &["Parquet"]);
}

#[test]
#[ignore = "needs ../shared/data/cifar10_jpeg"]
fn photographs_beside_the_project_are_read() {
    let images = beside("cifar10_jpeg/test.parquet");
    assert_eq!((images.len(), images.shape(), images.class_count()), (10_000, [3, 32, 32], 10));
    // The binary file holds the first 2,000 of them: two readers, one answer, but for a decoder's rounding.
    let binary = beside("cifar10_jpeg/test_batch_2000.bin.gz");
    assert_eq!(binary.labels().unwrap(), &images.labels().unwrap()[..2000]);
    let differences = binary.pixels().iter().zip(images.pixels()).map(|(a, b)| f64::from(a.abs_diff(*b)));
    let mean = differences.sum::<f64>() / binary.pixels().len() as f64;
    assert!(mean < 1.0, "{mean} levels a pixel");
}
