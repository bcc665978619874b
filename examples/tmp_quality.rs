//! tmp
use candle_core::{DType,Device,Tensor}; use ebmotion::{model::*, noise::Noise, forecast::*, forecast::baseline::{self,Hold,VarFit}, train::*, train::objective::*, event::*};
struct P(std::time::Instant);
impl Sink for P { fn emit(&mut self,e:&Event<'_>)->ebmotion::Result<()>{ if let Event::Figures{step,values,..}=e { if values.iter().any(|v|v.0=="validation"){ println!("{:6.1}s {step} {:?}",self.0.elapsed().as_secs_f64(),values);} } Ok(())} }
fn main(){
 let steps:u64=std::env::args().nth(1).unwrap().parse().unwrap();
 let ev=|k:&str,d:f64|std::env::var(k).ok().map(|v|v.parse::<f64>().unwrap()).unwrap_or(d);
 let raw:Vec<f32>=std::fs::read("/tmp/hand.f32").unwrap().chunks_exact(4).map(|b|f32::from_le_bytes([b[0],b[1],b[2],b[3]])).collect();
 let (t,d)=(200,24); let ep=|i:usize|&raw[i*t*d..(i+1)*t*d];
 let mut mean=vec![0f64;d]; let mut sq=vec![0f64;d]; let n=(210*t) as f64;
 for v in raw[..210*t*d].chunks(d){ for c in 0..d {mean[c]+=v[c] as f64/n; sq[c]+=(v[c] as f64).powi(2)/n;} }
 let std:Vec<f64>=(0..d).map(|c|(sq[c]-mean[c]*mean[c]).sqrt()).collect();
 let z:Vec<f32>=raw.iter().enumerate().map(|(i,v)|((*v as f64-mean[i%d])/std[i%d]) as f32).collect();
 let _=ep;
 let win=|eps:std::ops::Range<usize>,c:usize,f:usize,stride:usize|{ let mut v=vec![]; for e in eps { let mut s=0; while s+c+f<=t { v.extend_from_slice(&z[(e*t+s)*d..(e*t+s+c+f)*d]); s+=stride; } } WindowArray{values:v,context:c,future:f,channels:d} };
 let tr=win(0..210,8,8,1); let va=win(210..240,8,8,1); let te=win(240..300,8,100,10);
 let t0=std::time::Instant::now();
 let fit=VarFit::fit(&tr.values,d,8,8,10.).unwrap(); println!("var {:.2}s",t0.elapsed().as_secs_f64());
 let co=ResidualCoordinates::new(fit.clone(),ev("LAT",40.) as usize).unwrap();
 let src=ChunkSource::new(&co,&tr,&va,ev("CN",0.4)).unwrap();
 println!("src {:.2}s",t0.elapsed().as_secs_f64());
 let mut nz=Noise::new(5);
 let e=LevelEnergy::new(MlpConfig{inputs:ev("LAT",40.) as usize,context:192,hidden:vec![ev("W",256.) as usize;3],outputs:1,activation:Activation::Swish,spectral_norm:false},&mut nz,DType::F32,&Device::Cpu).unwrap();
 let mut o=Denoising{energy:e};
 let cfg=TrainConfig{steps,batch:ev("B",128.) as usize,optimizer:AdamConfig{learning_rate:ev("LR",1e-3),beta1:0.9,beta2:0.999,weight_decay:ev("WD",0.01),warmup_steps:200,decay:Decay::Cosine,clip:Clip::Norm(1.0)},average_decay:0.999,validate_every:500,log_every:100,checkpoint_every:1000000};
 let out=train(&mut o,&src,&cfg,&Noise::new(1),None,&mut P(std::time::Instant::now())).unwrap(); println!("{out:?} {:.1}s",t0.elapsed().as_secs_f64());
 let dir=&std::env::var("DIR").unwrap(); std::fs::create_dir_all(dir).unwrap();
 let dump=|name:&str,v:&[f32]|{ std::fs::write(format!("{dir}/{name}.f32"),v.iter().flat_map(|x|x.to_le_bytes()).collect::<Vec<u8>>()).unwrap(); };
 dump("context",&te.cut(0,8)); dump("truth",&te.cut(8,100));
 let h=Tensor::from_vec(te.cut(0,8),(te.len(),8,d),&Device::Cpu).unwrap();
 let rq=Request{horizon:100,samples:20};
 let f=LevelForecaster::new(co.clone(),o.energy,ev("N",4.) as usize).unwrap();
 for (f,nm) in [(&f as &dyn Forecaster,"ebm"),(&baseline::Autoregression::sampled(fit.clone()),"var_sampled"),(&baseline::Autoregression::mean(fit.clone()),"var"),(&Hold::new(d),"hold")] {
 let t1=std::time::Instant::now(); let s=f.forecast(&h,&rq,&mut Noise::new(7)).unwrap(); println!("{nm} {:.2}s {:?}",t1.elapsed().as_secs_f64(),s.samples.dims());
 dump(nm,&s.samples.flatten_all().unwrap().to_vec1::<f32>().unwrap()); }
}
